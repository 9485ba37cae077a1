import type { Selector } from './types.ts'

export function renderSelector(selector: Selector): Readonly<Record<string, unknown>> {
  if (selector.kind === 'all') return { all: true }
  const { expressions, labels } = selector
  return {
    ...(Object.keys(labels).length > 0 && { matchLabels: labels }),
    ...(expressions.length > 0 && {
      matchExpressions: expressions.map(({ key, operator, values }) => ({
        key,
        operator,
        ...(values.length > 0 && { values }),
      })),
    }),
  }
}
