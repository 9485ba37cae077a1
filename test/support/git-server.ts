import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './nats-server.ts'

export type GitHttpServer = {
  /** host:port */
  readonly address: string
  /** What clients sent as Authorization, oldest first. */
  readonly authorizations: readonly (string | undefined)[]
  stop(): Promise<void>
}

/** git's own CGI program behind node:http: everything under `root`, for who knows the password. */
export async function startGitHttp(root: string, password: string): Promise<GitHttpServer> {
  const authorizations: (string | undefined)[] = []
  const wanted = `Basic ${Buffer.from(`robot:${password}`).toString('base64')}`
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization)
    if (request.headers.authorization === wanted) serveCgi(root, request, response)
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    authorizations,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function serveCgi(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const { headers } = request
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: headers['content-type'] ?? '',
      CONTENT_LENGTH: headers['content-length'],
      HTTP_CONTENT_ENCODING: headers['content-encoding'],
      GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(child.stdin)
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.once('close', () => {
    const output = Buffer.concat(chunks)
    const end = output.indexOf('\r\n\r\n')
    for (const line of output.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(': ')
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.end(output.subarray(end + 4))
  })
}

export type SshServer = {
  readonly port: number
  /** Of a client: its key, and the server's key as the only known one. */
  readonly command: string
  stop(): Promise<void>
}

/** Debian's sshd on the loopback with keys and settings of its own, for the user that runs the tests. */
export async function startSshServer(dir: string): Promise<SshServer> {
  const port = await freePort()
  const key = (name: string): string => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)])
    return join(dir, name)
  }
  const [hostKey, clientKey] = [key('host-key'), key('client-key')]
  const settings = `Port ${port}
ListenAddress 127.0.0.1
HostKey ${hostKey}
AuthorizedKeysFile ${clientKey}.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
`
  await writeFile(join(dir, 'sshd_config'), settings)
  await chmod(dir, 0o755)
  // Privilege separation wants this folder; Debian's unit would make it.
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(dir, 'sshd_config')], { stdio: 'ignore' })
  await untilListening(port)
  const publicKey = execFileSync('cat', [`${hostKey}.pub`], { encoding: 'utf8' })
  await writeFile(join(dir, 'known_hosts'), `[127.0.0.1]:${port} ${publicKey}`)
  const client = `IdentityFile ${clientKey}\nIdentitiesOnly yes\nUserKnownHostsFile ${join(dir, 'known_hosts')}\n`
  await writeFile(join(dir, 'ssh_config'), client)
  return {
    port,
    command: `ssh -F ${join(dir, 'ssh_config')}`,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 1_200; tries += 1) {
    const socket = connect(port, '127.0.0.1')
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (open) return
    await sleep(50)
  }
  throw new Error(`sshd does not listen on port ${port}`)
}
