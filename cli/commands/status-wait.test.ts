import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { runBootfleet } from '../../test/support/command-line.ts'
import { createAuthority, openAuthority } from '../../trust/certificate-authority.ts'

/** Takes connections and never says a word. */
async function openSilentPeer(): Promise<string> {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('status --wait gives up at its timeout before a controller that hangs, whatever a call may take', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-status-wait-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const authority = await openAuthority(await createAuthority())
  const { certificatePem, keyPem } = await authority.issueOperator('kim')
  const files = { ca: authority.certificatePem, certificate: certificatePem, key: keyPem }
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
  const paths = Object.fromEntries(Object.keys(files).map((name) => [name, join(dir, name)]))
  const context = join(dir, 'context.json')
  await writeFile(context, JSON.stringify({ address: await openSilentPeer(), ...paths }))
  const ran = await runBootfleet(['--context', context, 'status', '--wait', '--timeout', '1s'])
  expect(ran).toEqual({ status: 4, out: '', note: '✖ timed out after 1s; last seen: nothing\n' })
}, 60_000)
