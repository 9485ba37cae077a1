import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { env, exit, kill, pid } from 'node:process'
import { runProgram } from '../run-program.ts'

/**
 * container-snap that tells between which of its writes it is, by the environment:
 * FAILPOINT_LOG=FILE gets a line with each name; FAILPOINT_HOOK=PROGRAM is run with the name and waited for;
 * at FAILPOINT_KILL=NAME the program ends like a machine whose power goes.
 */
async function failpoint(name: string): Promise<void> {
  const { FAILPOINT_LOG: log, FAILPOINT_HOOK: hook, FAILPOINT_KILL: end } = env
  if (log !== undefined) appendFileSync(log, `${name}\n`)
  if (hook !== undefined) execFileSync(hook, [name], { stdio: 'inherit' })
  if (name !== end) return
  kill(pid, 'SIGKILL')
  await new Promise(() => {})
}

exit(
  await runProgram({
    registriesConf: env['CONTAINERS_REGISTRIES_CONF'] || undefined,
    askedBy: env['CONTAINER_SNAP_ASKED_BY'],
    sudoUser: env['SUDO_USER'],
    failpoint,
  }),
)
