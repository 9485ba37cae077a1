import { expect, test } from 'vitest'
import { parseAllowedSigners } from './ssh-signers.ts'

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPPYNVU0QfZ0Sjn2yqLRQn3xfHzyzSHTbhKVxBxJLaZQ'
const only = (line: string) => {
  const signers = parseAllowedSigners(`# who\n\n${line}\n`)
  return typeof signers === 'string' ? signers : signers[0]
}

test.each([
  [`kim@example ${key}`, {}],
  [`kim@example,robin@example ${key} kim's laptop`, {}],
  [`"kim of example" namespaces="git,file" ${key}`, {}],
  [`* valid-after="20260101" ${key}`, { validAfterMs: Date.UTC(2026, 0, 1) }],
  [`k valid-before="202601021530Z",namespaces="git" ${key}`, { validBeforeMs: Date.UTC(2026, 0, 2, 15, 30) }],
  [`k valid-before=20260102153059 ${key}`, { validBeforeMs: Date.UTC(2026, 0, 2, 15, 30, 59) }],
])('%s is a signer', (line, validity) => {
  const fingerprint = expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/) as string
  expect(only(line)).toEqual({ fingerprint, validAfterMs: 0, validBeforeMs: Infinity, ...validity })
})

test.each([
  ['kim@example', 'line 3: it is not PRINCIPAL'],
  [key, 'line 3: it is not PRINCIPAL'],
  [`ca cert-authority ${key}`, 'line 3: the option "cert-authority" is not supported'],
  [`k no-such-thing="x" ${key}`, 'line 3: the option "no-such-thing" is not supported'],
  [`k valid-before="tomorrow" ${key}`, 'line 3: "tomorrow" is no time'],
  [`k valid-before="20261301" ${key}`, 'line 3: "20261301" is no time'],
  [
    'k ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIPPYNVU0QfZ0Sjn2yqLRQn3xfHzyzSHTbhKVxBxJLaZQ',
    'line 3: its key is no ssh-rsa key',
  ],
])('%s is none, and the line is named', (line, message) => {
  expect(only(line)).toContain(message)
})

test('a list of nobody is no list', () => {
  expect(parseAllowedSigners('# nobody\n')).toBe('it names nobody')
})
