import type { Context } from '../context.ts'
import { jsonLine } from '../context.ts'
import { loaderOf } from '../deploy/loader-of.ts'
import { repairStore } from '../deploy/repair.ts'
import { changeStore } from '../store/session.ts'

export async function repair(context: Context): Promise<string> {
  const done = await changeStore(context, async (view) => repairStore(context, await loaderOf(context), view))
  return context.json ? jsonLine({ done }) : done.map((line) => `${line}\n`).join('')
}
