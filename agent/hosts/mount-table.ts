import { readFile } from 'node:fs/promises'

export type Mount = { readonly mountPoint: string; readonly root: string; readonly type: string }

/** Mounts at `directory` and below it, in the order in which they were made. */
export async function mountsUnder(directory: string): Promise<readonly Mount[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8')
  return parseMountTable(table).filter(
    ({ mountPoint }) => mountPoint === directory || mountPoint.startsWith(`${directory}/`),
  )
}

/** proc_pid_mountinfo(5): the 4th field is the root within the file system, the 5th the mount point. */
export function parseMountTable(table: string): readonly Mount[] {
  return table.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const fields = before.split(' ')
    const [root, mountPoint] = [fields[3], fields[4]]
    const type = after.split(' ')[0] ?? ''
    return root === undefined || mountPoint === undefined
      ? []
      : [{ root: unescape(root), mountPoint: unescape(mountPoint), type }]
  })
}

/** Blanks stand as three octal digits. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}
