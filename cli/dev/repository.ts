import { access, mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DevLayout } from './layout.ts'
import type { PushedImage } from './image.ts'
import { run } from './process.ts'

export const devFleet = 'demo'
export const fleetPath = 'fleets/demo.yaml'

const readme = `# The fleet of a bootfleet dev

One file says what the hosts run: \`fleets/demo.yaml\`. Change \`digest\`, commit, push, and watch
\`bootfleet status demo --watch\`.
`

/** What the dev fleet should run, as a person would write it. */
export function fleetFile(image: PushedImage): string {
  return `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata:
  name: ${devFleet}
spec:
  selector:
    all: true
  image:
    repository: ${image.repository}
    digest: ${image.digest}
  strategy: careful
---
apiVersion: bootfleet.dev/v1alpha1
kind: RolloutStrategy
metadata:
  name: careful
spec:
  waves:
    - name: canary
      upTo: 1
      soak: 2s
  maxUnavailable: 2
  onFailure: Rollback
  deadlines:
    health: 10s
  health:
    checks: [web-up]
`
}

/** A bare repository with a first commit; one that exists is left alone. */
export async function openRepository(layout: DevLayout, signal: AbortSignal): Promise<void> {
  const exists = await access(join(layout.gitDir, 'refs', 'heads', 'main')).then(
    () => true,
    () => false,
  )
  if (exists) return
  await mkdir(dirname(layout.gitDir), { recursive: true })
  await rm(layout.gitDir, { recursive: true, force: true })
  await git(
    ['init', '--quiet', '--bare', '--initial-branch=main', layout.gitDir],
    dirname(layout.gitDir),
    signal,
  )
  await commitFiles(layout, { subject: 'Begin', files: { 'README.md': readme } }, signal)
}

/** Says what to run once there are hosts to run it, so that the first rollout has them all. */
export async function openFleetFile(
  layout: DevLayout,
  base: { readonly image: PushedImage; readonly version: string },
  signal: AbortSignal,
): Promise<void> {
  const files = await git(['ls-tree', '-r', '--name-only', 'main'], layout.gitDir, signal)
  if (files.split('\n').includes(fleetPath)) return
  const change = { subject: `Run ${base.version}`, files: { [fleetPath]: fleetFile(base.image) } }
  await commitFiles(layout, change, signal)
}

/** Clones, writes, commits and pushes, as a person would; returns the commit. */
export async function commitFiles(
  layout: DevLayout,
  change: { readonly subject: string; readonly files: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<string> {
  const clone = await mkdtemp(join(dirname(layout.gitDir), 'clone-'))
  try {
    await git(['clone', '--quiet', layout.gitDir, clone], dirname(clone), signal)
    for (const [path, text] of Object.entries(change.files)) {
      await mkdir(dirname(join(clone, path)), { recursive: true })
      await writeFile(join(clone, path), text)
    }
    await git(['add', '--all'], clone, signal)
    await git(['commit', '--quiet', '-m', change.subject], clone, signal)
    await git(['push', '--quiet', 'origin', 'HEAD:main'], clone, signal)
    return await git(['rev-parse', 'HEAD'], clone, signal)
  } finally {
    await rm(clone, { recursive: true, force: true })
  }
}

function git(args: readonly string[], cwd: string, signal: AbortSignal): Promise<string> {
  const person = { NAME: 'bootfleet dev', EMAIL: 'dev@bootfleet.invalid' }
  return run('git', args, {
    cwd,
    signal,
    env: {
      GIT_AUTHOR_NAME: person.NAME,
      GIT_AUTHOR_EMAIL: person.EMAIL,
      GIT_COMMITTER_NAME: person.NAME,
      GIT_COMMITTER_EMAIL: person.EMAIL,
      // The person's own settings (signing, hooks, another default branch) have no say here.
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
    },
  })
}
