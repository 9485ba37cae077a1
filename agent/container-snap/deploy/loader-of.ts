import type { Loader } from '../boot/loader.ts'
import { openLoader } from '../boot/open-loader.ts'
import type { Context } from '../context.ts'
import { readMachine } from '../machine.ts'

export async function loaderOf(context: Context): Promise<Loader> {
  return openLoader(context, await readMachine(context.paths))
}
