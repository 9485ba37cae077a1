import { expect, it } from 'vitest'
import { installArguments } from './image-install-disk.ts'

it('passes every option on, and keeps what begins with a dash an argument', () => {
  const options = {
    size: '20G',
    format: 'qcow2',
    espSize: '256M',
    karg: ['quiet', '-x'],
    agentConfig: 'agent.yaml',
    identity: 'id',
    rootSshAuthorizedKeys: 'keys',
    hostname: 'till-1',
    wipe: true,
    json: true,
  } as const
  expect(installArguments('oci:os', '-disk', options)).toEqual([
    'install',
    'to-disk',
    '--verbose',
    '--json',
    '--wipe',
    '--size=20G',
    '--format=qcow2',
    '--esp-size=256M',
    '--agent-config=agent.yaml',
    '--identity=id',
    '--root-ssh-authorized-keys=keys',
    '--hostname=till-1',
    '--karg=quiet',
    '--karg=-x',
    '--',
    'oci:os',
    '-disk',
  ])
})

it('passes on nothing that was not given', () => {
  expect(installArguments('host/os:1', 'disk.raw', {})).toEqual([
    'install',
    'to-disk',
    '--verbose',
    '--',
    'host/os:1',
    'disk.raw',
  ])
})
