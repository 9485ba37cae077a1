import type { LabelExpression, Selector } from './types.ts'

/** What a host says about itself; a selector of these alone would let a host choose its own fleet. */
export const hostReportedPrefix = 'host.bootfleet.dev/'

export const labelKeyPattern =
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/
export const labelValuePattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/

export type Labels = Readonly<Record<string, string>>

export function matchesSelector(selector: Selector, labels: Labels): boolean {
  if (selector.kind === 'all') return true
  return (
    Object.entries(selector.labels).every(([key, value]) => valueOf(labels, key) === value) &&
    selector.expressions.every((expression) => matchesExpression(expression, labels))
  )
}

/** As in Kubernetes: `NotIn` also matches a host that has no such label. */
function matchesExpression(expression: LabelExpression, labels: Labels): boolean {
  const value = valueOf(labels, expression.key)
  switch (expression.operator) {
    case 'In':
      return value !== undefined && expression.values.includes(value)
    case 'NotIn':
      return value === undefined || !expression.values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
  }
}

function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}
