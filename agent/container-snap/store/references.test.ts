import { describe, expect, test } from 'vitest'
import { archiveImageName, parseImageSource, registryReference } from './references.ts'

const digest = `sha256:${'a'.repeat(64)}`

describe('image sources', () => {
  test.each([
    ['quay.io/os/tiny', 'quay.io/os/tiny', 'latest', null],
    ['docker://quay.io/os/tiny:1', 'quay.io/os/tiny', '1', null],
    ['127.0.0.1:5000/tiny', '127.0.0.1:5000/tiny', 'latest', null],
    ['docker:5000/tiny', 'docker:5000/tiny', 'latest', null],
    ['oci:5000/tiny:2', 'oci:5000/tiny', '2', null],
    [`localhost/tiny@${digest}`, 'localhost/tiny', 'latest', digest],
    [`quay.io/tiny:1@${digest}`, 'quay.io/tiny', '1', digest],
    ['busybox', 'docker.io/library/busybox', 'latest', null],
    ['me/tool:3', 'docker.io/me/tool', '3', null],
  ])('%s is a registry image', (url, repository, tag, wanted) => {
    expect(parseImageSource(url)).toEqual({ kind: 'registry', repository, tag, digest: wanted })
  })

  test.each([
    ['oci-archive:///var/x.tar', 'oci-archive:/var/x.tar'],
    ['oci-archive:x.tar:name', 'oci-archive:x.tar:name'],
    ['dir:/x', 'dir:/x'],
  ])('%s is local', (url, location) => {
    expect(parseImageSource(url)).toEqual({ kind: 'local', location })
  })

  test.each(['', '--help', 'a b', 'tiny:', 'tiny@sha256:short', 'tiny@', 'docker://'])(
    '%j is refused',
    (url) => {
      expect(() => parseImageSource(url)).toThrow('pull')
    },
  )

  test('a digest is joined by @, a tag by a colon', () => {
    expect(registryReference('quay.io/tiny', digest)).toBe(`quay.io/tiny@${digest}`)
    expect(registryReference('quay.io/tiny', '1')).toBe('quay.io/tiny:1')
  })

  test.each([
    ['latest', 'localhost/latest:latest'],
    ['tiny:1', 'localhost/tiny:1'],
    ['localhost/tiny:1', 'localhost/tiny:1'],
    ['quay.io/os/tiny', 'quay.io/os/tiny:latest'],
    ['os/tiny', 'localhost/os/tiny:latest'],
  ])('an archive that says %s names its image %s', (annotation, name) => {
    expect(archiveImageName(annotation)).toBe(name)
  })
})
