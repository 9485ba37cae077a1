import type { Watch } from './world-model.ts'

/** All of them are told, in their order; the first that throws ends it. */
export function together(watches: readonly Watch[]): Watch {
  return {
    onDecision: (...told) => tell(watches, 'onDecision', told),
    onWritten: (...told) => tell(watches, 'onWritten', told),
    onSettled: (...told) => tell(watches, 'onSettled', told),
    onActivated: (...told) => tell(watches, 'onActivated', told),
    onBooted: (...told) => tell(watches, 'onBooted', told),
    onState: (...told) => tell(watches, 'onState', told),
    onHappening: (...told) => tell(watches, 'onHappening', told),
  }
}

function tell<Name extends keyof Watch>(
  watches: readonly Watch[],
  name: Name,
  told: Parameters<Watch[Name]>,
): void {
  for (const watch of watches) (watch[name] as (...of: Parameters<Watch[Name]>) => void)(...told)
}
