import type { Finding, Preflight } from './preflight.ts'
import { isRefused } from './preflight.ts'

/** The preflight for a person, who may approve it. */
export function preflightLines(result: Preflight): readonly string[] {
  return [
    `image       ${result.image}`,
    '',
    ...result.findings.flatMap(findingLines),
    '',
    'kept',
    ...result.kept.map((line) => `  ${line}`),
    'left in the old root',
    ...result.left.map((line) => `  ${line}`),
    '',
    ...(isRefused(result)
      ? ['This machine is not adopted as it is. Nothing was changed.']
      : [
          `fingerprint ${result.fingerprint}`,
          'Nothing was changed. To do it: the same command with --approve and this fingerprint in place of --dry-run.',
        ]),
  ]
}

function findingLines(finding: Finding): readonly string[] {
  switch (finding.kind) {
    case 'ok':
      return [`ok          ${finding.found}`]
    case 'convert':
      return [`change      ${finding.found}`, `            → ${finding.change}`]
    case 'refuse':
      return [`refused     ${finding.found} (${finding.code})`, `            do: ${finding.remedy}`]
    case 'note':
      return [`note        ${finding.found}`, `            → ${finding.meaning}`]
  }
}
