import type { Deployment, Status } from './status-view.ts'

/** A row for each deployment, the last activated first, with all that speaks for and against it. */
export function plainStatus(status: Status): string {
  const pointers = [
    `sysroot  ${status.sysroot}`,
    `loader   ${status.loader}${status.guard === 'uncounted' ? '  counts no tries: nothing falls back by itself' : ''}`,
    `current  ${status.current?.id ?? '(no deployment)'}`,
    `default  ${status.default?.id ?? '(no deployment)'}`,
    `rollback ${status.rollback?.id ?? '(nothing has proven itself)'}`,
    ...movedLines(status),
    ...(status.kernelLine ?? []).map(({ argument, source }) => `argument ${argument}  of the ${source}`),
  ]
  const rows = status.deployments
    .toSorted((a, b) => (b.activation ?? 0) - (a.activation ?? 0))
    .flatMap((deployment) => rowsOf(status, deployment))
  return `${[...pointers, '', ...rows].join('\n').trimEnd()}\n`
}

function movedLines({ moved }: Status): string[] {
  if (moved === null) return []
  return [`moved    to ${moved.to} by ${moved.user} with ${moved.command}, ${moved.at}`]
}

function rowsOf(status: Status, deployment: Deployment): string[] {
  const { id, digest, createdAt, entry, bad } = deployment
  return [
    id,
    `  ${marksOf(status, deployment).join(', ')}`,
    `  ${digest}  made ${createdAt}`,
    ...(entry === null ? [] : [`  entry ${entry}`]),
    ...(bad === null ? [] : [`  bad: ${bad}`]),
  ]
}

function marksOf(status: Status, deployment: Deployment): string[] {
  const { id, readonly, triesLeft, activation } = deployment
  const marks: readonly (readonly [holds: boolean, word: string])[] = [
    [id === status.current?.id, 'current'],
    [id === status.default?.id, 'default'],
    [id === status.rollback?.id, 'rollback'],
    [id === status.activated?.id, 'on trial'],
    [!deployment.staged, 'bare copy'],
    [deployment.blessed, 'blessed'],
    [deployment.bad !== null, 'bad'],
    [triesLeft !== null, `${triesLeft} tries left`],
    [activation !== null, `activation ${activation}`],
    [deployment.pinned, 'pinned'],
    [true, readonly ? 'read-only' : 'writable'],
  ]
  return marks.flatMap(([holds, word]) => (holds ? [word] : []))
}
