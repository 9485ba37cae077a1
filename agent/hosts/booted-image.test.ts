import { describe, expect, it } from 'vitest'
import { readBootcStatus, readLabelsFile, readRpmOstreeStatus } from './booted-image.ts'

const digest = `sha256:${'a1'.repeat(32)}`
const json = (value: unknown): string => JSON.stringify(value)

/** As bootc 1.1 prints it on a machine that runs one image and has the next one staged. */
const bootc = {
  apiVersion: 'org.containers.bootc/v1',
  kind: 'BootcHost',
  metadata: { name: 'host' },
  spec: { image: { image: 'quay.io/example/os:42', transport: 'registry' }, bootOrder: 'default' },
  status: {
    staged: {
      image: {
        image: { image: 'quay.io/example/os:42', transport: 'registry' },
        version: '42.20260214.0',
        timestamp: '2026-02-14T01:51:07Z',
        imageDigest: `sha256:${'b2'.repeat(32)}`,
        architecture: 'amd64',
      },
      cachedUpdate: null,
      incompatible: false,
      pinned: false,
      store: 'ostreeContainer',
      ostree: { checksum: 'c3'.repeat(32), deploySerial: 0 },
    },
    booted: {
      image: {
        image: { image: 'quay.io/example/os:42', transport: 'registry' },
        version: '42.20260201.0',
        timestamp: null,
        imageDigest: digest,
        architecture: 'amd64',
      },
      cachedUpdate: null,
      incompatible: false,
      pinned: false,
      store: 'ostreeContainer',
      ostree: { checksum: 'd4'.repeat(32), deploySerial: 0 },
    },
    rollback: null,
    rollbackQueued: false,
    type: 'bootcHost',
  },
}

const booted = (image: unknown): string => json({ ...bootc, status: { ...bootc.status, booted: { image } } })

describe('of bootc', () => {
  it('the booted image is taken, not the staged one', () => {
    expect(readBootcStatus(json(bootc))).toEqual({
      reference: 'quay.io/example/os:42',
      digest,
      version: '42.20260201.0',
      labels: {},
    })
  })

  it('an image that came another way than from a registry keeps its transport', () => {
    const image = { image: { image: '/var/mnt/os', transport: 'oci' }, version: null, imageDigest: digest }
    expect(readBootcStatus(booted(image))).toMatchObject({ reference: 'oci:/var/mnt/os', version: '' })
    const bare = { image: { image: 'quay.io/example/os' }, imageDigest: 'a tale' }
    expect(readBootcStatus(booted(bare))).toMatchObject({ reference: 'quay.io/example/os', digest: '' })
  })

  it.each([
    ['a machine without images', json({ ...bootc, status: { booted: null, type: null } })],
    ['a deployment that is no image', booted(null)],
    ['a version that says something else', json({ status: { booted: { image: 'os' } } })],
    ['no JSON', 'error: this needs root'],
  ])('%s has no image', (_, output) => {
    expect(readBootcStatus(output)).toBeNull()
  })
})

/** As rpm-ostree 2024 prints it, without what nobody reads here. */
const deployment = {
  id: `default-${'e5'.repeat(32)}.0`,
  osname: 'default',
  booted: true,
  staged: false,
  pinned: false,
  checksum: 'e5'.repeat(32),
  version: '41.20250105.2.0',
  packages: [],
  'container-image-reference': 'ostree-remote-image:fedora:registry:quay.io/fedora/fedora-coreos:stable',
  'container-image-reference-digest': digest,
  'base-commit-meta': {
    'ostree.manifest-digest': digest,
    'ostree.importer.version': '0.14.1',
    'ostree.container.image-config': json({
      architecture: 'amd64',
      config: {
        Labels: { 'org.opencontainers.image.version': '41.20250105.2.0', 'ostree.bootable': 'true' },
      },
    }),
  },
}
const rpmOstree = (changes: object): string =>
  json({
    deployments: [
      { ...deployment, booted: false },
      { ...deployment, ...changes },
    ],
    transaction: null,
  })

describe('of rpm-ostree', () => {
  it('the booted image is taken, with the labels that its commit keeps', () => {
    expect(readRpmOstreeStatus(rpmOstree({}))).toEqual({
      reference: 'quay.io/fedora/fedora-coreos:stable',
      digest,
      version: '41.20250105.2.0',
      labels: { 'org.opencontainers.image.version': '41.20250105.2.0', 'ostree.bootable': 'true' },
    })
  })

  it.each([
    ['ostree-unverified-registry:quay.io/os:1', 'quay.io/os:1'],
    ['ostree-unverified-image:docker://quay.io/os:1', 'quay.io/os:1'],
    ['ostree-image-signed:registry:quay.io/os@sha256:1', 'quay.io/os@sha256:1'],
    ['ostree-remote-registry:fedora:quay.io/os:1', 'quay.io/os:1'],
    ['ostree-unverified-image:oci:/var/os', 'oci:/var/os'],
  ])('%s is %s', (said, meant) => {
    expect(readRpmOstreeStatus(rpmOstree({ 'container-image-reference': said }))?.reference).toBe(meant)
  })

  it.each([
    ['labels that are written as an object', { config: { Labels: { a: 'b' } } }, { a: 'b' }],
    ['a configuration without labels', json({ config: { Labels: null } }), {}],
    ['no configuration', undefined, {}],
    ['one that cannot be read', '{', {}],
  ])('%s do no harm', (_, config, labels) => {
    const meta = { 'ostree.container.image-config': config }
    expect(readRpmOstreeStatus(rpmOstree({ 'base-commit-meta': meta }))?.labels).toEqual(labels)
  })

  it.each([
    ['a commit of a repository', rpmOstree({ 'container-image-reference': null })],
    ['nothing booted', rpmOstree({ booted: false })],
    ['no JSON', 'error: no such unit'],
  ])('%s is no image', (_, output) => {
    expect(readRpmOstreeStatus(output)).toBeNull()
  })
})

describe('labels', () => {
  it('in a file are an object of texts, in one order', () => {
    expect(Object.keys(readLabelsFile('{"b":"2","a":"1","c":3}'))).toEqual(['a', 'b'])
    expect(readLabelsFile('["a=1"]')).toEqual({})
    expect(readLabelsFile('')).toEqual({})
  })

  it('are kept only as far as a report has room for them', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, 'v']))
    expect(Object.keys(readLabelsFile(json(many)))).toHaveLength(32)
    const long = Object.fromEntries(
      Array.from({ length: 32 }, (_, index) => [`k${index}`, 'v'.repeat(9_000)]),
    )
    expect(json(readLabelsFile(json(long))).length).toBeLessThan(4_096)
  })
})
