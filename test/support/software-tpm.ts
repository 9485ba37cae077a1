import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SYSTEMD_CREDS = fileURLToPath(new URL('../../.cache/tools/tss2/systemd-creds', import.meta.url))

/** TPM2_Shutdown: a TPM that loses power without it counts that as an attack, and locks up after three. */
const SHUTDOWN = `
const tpm = require('node:net').connect(process.argv[1])
tpm.write(Buffer.from('80010000000c000001450000', 'hex'))
tpm.once('data', () => tpm.destroy())
`

/**
 * A TPM runs while a program asks it, and keeps in its folder what it never forgets. The kernel would take from it
 * what a program leaves behind (systemd 252 leaves sessions, of which a TPM holds three); here its end does.
 */
const PROGRAM = `#!/bin/sh
path=
for word in "$@"; do
  case $word in --tpm2-device=swtpm:path=*) path=\${word#*path=} ;; esac
done
dir=$(dirname "$path")
[ -n "$path" ] && [ -d "$dir" ] || exec ${SYSTEMD_CREDS} "$@"
exec 9>"$dir/lock"
flock 9
rm -f "$path" "$path.ctrl" "$dir/pid"
swtpm socket --tpm2 --tpmstate "dir=$dir" --flags not-need-init,startup-clear --pid "file=$dir/pid" \\
  --server "type=unixio,path=$path" --ctrl "type=unixio,path=$path.ctrl" >/dev/null 2>&1 9>&- &
tpm=$!
trap 'kill "$tpm"; wait "$tpm"' EXIT
while [ ! -s "$dir/pid" ]; do
  kill -0 "$tpm" || exit 9
  sleep 0.02
done
${SYSTEMD_CREDS} "$@" 9>&-
status=$?
${process.execPath} -e "${SHUTDOWN}" "$path" </dev/null
exit $status
`

/** A folder to put before PATH: its systemd-creds knows {@link softwareTpm}. */
export async function installSoftwareTpm(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'systemd-creds'), PROGRAM, { mode: 0o755 })
  return dir
}

/** For the configuration of an agent: a TPM 2.0 of its own, as another machine has. */
export async function softwareTpm(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true })
  return `swtpm:path=${join(dir, 'tpm')}`
}
