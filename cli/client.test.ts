import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createAuthority, openAuthority } from '../trust/certificate-authority.ts'
import { makeCertificateRequest } from '../trust/certificate-request.ts'
import { call, closeClient, openClient, refusalOf } from './client.ts'

async function contextOf(lifetimeMs: number): Promise<Parameters<typeof openClient>[0]> {
  const dir = await mkdtemp(join(tmpdir(), 'bootfleet-client-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const authority = await openAuthority(await createAuthority())
  const { keyPem, certificateRequestPem } = await makeCertificateRequest()
  const [ca, certificate, key] = ['ca', 'certificate', 'key'].map((name) => join(dir, name))
  if (ca === undefined || certificate === undefined || key === undefined) throw new Error('no paths')
  await writeFile(ca, authority.certificatePem)
  await writeFile(
    certificate,
    await authority.issueOperatorFor(certificateRequestPem, { name: 'kim', lifetimeMs }),
  )
  await writeFile(key, keyPem)
  return { address: '127.0.0.1:1', ca, certificate, key }
}

it('says what to do about a certificate that has expired, before it calls', async () => {
  const context = await contextOf(-60_000)
  const login = { server: '127.0.0.1:2', sshKey: '/key' }
  await expect(openClient({ ...context, login })).rejects.toMatchObject({
    code: 'LoginNeeded',
    message: expect.stringMatching(/expired at \d{4}-\S+Z; run "bootfleet login"$/),
  })
  await expect(openClient(context)).rejects.toThrow('have an admin issue another')
})

it('takes one that is in force', async () => {
  const client = await openClient(await contextOf(60_000))
  closeClient(client)
  expect(client.address).toBe('127.0.0.1:1')
})

it('says that a controller which does not know a call is too old', async () => {
  const client = await openClient(await contextOf(60_000))
  const details = 'The server does not implement the method /bootfleet.v1.OperatorService/ListImages'
  const error = Object.assign(new Error(details), { code: status.UNIMPLEMENTED, details })
  expect(refusalOf(error as Parameters<typeof refusalOf>[0], client)).toMatchObject({
    code: 'ControllerRefused',
    message: expect.stringContaining('upgrade the controller'),
  })
  closeClient(client)
})

it('says that an answer takes long, and only where somebody reads it', async () => {
  const client = await openClient(await contextOf(60_000))
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const noted: string[] = []
  const answers: (() => void)[] = []
  const hanging = (_: string, __: object, done: (error: null, response: string) => void): void =>
    void answers.push(() => done(null, 'there'))
  const calls = [
    call({ ...client, note: (text: string) => void noted.push(text) }, hanging, 'read'),
    call(client, hanging, 'unread'),
  ]
  vi.advanceTimersByTime(2_000)
  expect(noted).toEqual([])
  vi.advanceTimersByTime(2_000)
  expect(noted).toEqual(['◎ waiting for an answer of the controller at 127.0.0.1:1\n'])
  for (const answer of answers) answer()
  expect(await Promise.all(calls)).toEqual(['there', 'there'])
  closeClient(client)
})
