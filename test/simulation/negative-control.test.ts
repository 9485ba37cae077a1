import { describe, expect, it } from 'vitest'
import type { Engine } from '../../cli/simulator/controller.ts'
import { randomScenario, testSizes } from '../../cli/simulator/generate.ts'
import { judge } from '../../cli/simulator/judged.ts'
import { readable, shrink } from '../../cli/simulator/shrink.ts'
import type { Decision, Write } from '../../controller/rollout/decision.ts'
import type { GrantRecord } from '../../controller/rollout/records.ts'
import { engine } from './seeds.ts'

/** An engine whose decisions are changed before anybody acts on them. */
function breaking(change: (decision: Decision) => Decision): Engine {
  return {
    ...engine,
    apply: (state, event, now) => {
      const step = engine.apply(state, event, now)
      return { ...step, decision: change(step.decision) }
    },
  }
}

function rewriteGrants(decision: Decision, rewrite: (grant: GrantRecord) => GrantRecord | null): Decision {
  const writes = decision.writes.flatMap((write): readonly Write[] => {
    if (write.kind !== 'grant') return [write]
    const record = rewrite(write.record)
    return record === null ? [] : [{ ...write, record }]
  })
  return { ...decision, writes }
}

const isActivation = ({ activateUntilMs, phase }: GrantRecord): boolean =>
  phase === 'Staged' && activateUntilMs !== null

const controls: readonly { readonly rule: string; readonly broken: Engine }[] = [
  {
    rule: 'forgets the end of an attempt',
    broken: breaking((decision) =>
      rewriteGrants(decision, (grant) => (grant.phase === 'Succeeded' ? null : grant)),
    ),
  },
  {
    rule: 'lets everybody restart at once',
    broken: breaking((decision) =>
      rewriteGrants(decision, (grant) =>
        grant.phase === 'AwaitingSlot'
          ? {
              ...grant,
              phase: 'Staged',
              activateUntilMs: Number.MAX_SAFE_INTEGER,
              endBy: Number.MAX_SAFE_INTEGER,
            }
          : grant,
      ),
    ),
  },
  {
    rule: 'gives leases that never end',
    broken: breaking((decision) =>
      rewriteGrants(decision, (grant) => (isActivation(grant) ? { ...grant, endBy: null } : grant)),
    ),
  },
  {
    rule: 'forgets what was denied',
    broken: breaking((decision) => ({
      ...decision,
      writes: decision.writes.map((write) =>
        write.kind === 'fleet' ? { ...write, record: { ...write.record, denied: [] } } : write,
      ),
    })),
  },
  {
    rule: 'passes over its waves',
    broken: {
      ...engine,
      apply: (state, event, now) => {
        const isSlow = event.kind === 'timer' && now.elapsedMs > 0
        return engine.apply(state, event, isSlow ? { ...now, elapsedMs: now.elapsedMs * 1000 } : now)
      },
    },
  },
]

describe('an engine that breaks a rule', () => {
  it.each(controls)('$rule: is found out, and shrunk to a short story', ({ broken }) => {
    const seed = Array.from({ length: 200 }, (_, index) => index + 1).find(
      (candidate) => judge(randomScenario(candidate, testSizes), broken).broken !== null,
    )
    expect(seed).toBeDefined()
    const scenario = randomScenario(seed ?? 0, testSizes)
    const smallest = shrink(scenario, broken, 300)
    const size = smallest.hosts.length + smallest.faults.length + smallest.operations.length
    expect(size).toBeLessThanOrEqual(12)
    const story = readable(smallest, broken)
    expect(story).toMatch(/invariant \d+ \(.+\)/)
    expect(story.split('\n').length).toBeLessThanOrEqual(100)
    expect(judge(smallest, engine).broken).toBeNull()
  })
})
