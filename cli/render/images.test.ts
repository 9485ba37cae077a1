import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { FindHostsResponseSchema, ListImagesResponseSchema } from '../../proto/gen/bootfleet/v1/images_pb.ts'
import { foundLines, imageTable, noteOnFound, noteOnImages } from './images.ts'
import { plain } from './style.ts'
import { renderTable } from './table.ts'

const digest = `sha256:${'9c41d0aa7b12'.padEnd(64, '0')}`
const nowMs = 1_760_000_000_000n
const day = 86_400_000n

it('a host is shown with its image, since when it runs it, its phase and whether it is there', () => {
  const { hosts } = create(FindHostsResponseSchema, {
    hosts: [
      {
        name: 'till-17',
        fleet: 'edge',
        hold: 'Booted',
        digest,
        version: '42.0.9',
        sinceMs: nowMs - 3n * day,
        phase: 'Succeeded',
        connected: true,
      },
      { name: 'stray', hold: 'Booted', digest, sinceMs: nowMs, phase: 'Pending', lastSeenMs: nowMs - day },
    ],
  })
  expect(foundLines(hosts, nowMs, { style: plain, columns: null }).join('')).toBe(`\
HOST     FLEET  IMAGE                SINCE                      PHASE        SEEN
till-17  edge   42.0.9@9c41d0aa7b12  2025-10-06T08:53:20Z (3d)  ✔ Succeeded  connected
stray    -      9c41d0aa7b12         2025-10-09T08:53:20Z (0s)  · Pending    away 1d
`)
})

it('in a narrow terminal a host still has one line, with whether it is there', () => {
  const till = { fleet: 'edge', hold: 'Booted', digest, version: '42.0.9', sinceMs: nowMs - 3n * day }
  const { hosts } = create(FindHostsResponseSchema, {
    hosts: [
      { ...till, name: 'till-17', phase: 'Succeeded', connected: true },
      { ...till, name: 'till-3', phase: 'AwaitingSlot', lastSeenMs: nowMs - day },
    ],
  })
  expect(foundLines(hosts, nowMs, { style: plain, columns: 80 }).join('')).toBe(`\
HOST     FLEET  IMAGE                SINCE  PHASE           SEEN
till-17  edge   42.0.9@9c41d0aa7b12  3d     ✔ Succeeded     now
till-3   edge   42.0.9@9c41d0aa7b12  3d     ◌ AwaitingSlot  away 1d
`)
  expect(foundLines(hosts, nowMs, { style: plain, columns: 60 }).join('')).toBe(`\
HOST     IMAGE                SINCE  PHASE           SEEN
till-17  42.0.9@9c41d0aa7b12  3d     ✔ Succeeded     now
till-3   42.0.9@9c41d0aa7b12  3d     ◌ AwaitingSlot  away 1d
`)
})

it('a host that knows no digest is shown by the name that it goes by, and that it goes by it is said', () => {
  const host = {
    name: 'db',
    hold: 'Booted',
    version: '42.7',
    reference: 'quay.io/os:42',
    phase: 'ReportOnly',
  }
  const found = create(FindHostsResponseSchema, { hosts: [host] })
  expect(foundLines(found.hosts, nowMs, { style: plain, columns: null }).join('')).toMatch(
    /^db +- +quay\.io\/os:42 /m,
  )
  expect(noteOnFound(found)).toBe(`\
1 host runs it
1 host goes by that name alone, without a digest to compare: db
`)
})

it('hosts that only hold it are counted apart, and what nobody can say is said', () => {
  const holds = ['Booted', 'Staged', 'Previous', 'Previous', 'BootsNext']
  const found = create(FindHostsResponseSchema, {
    hosts: holds.map((hold, index) => ({ name: `h${index}`, hold, digest })),
    unknownHosts: [{ name: 'u1' }],
    unknownImages: [{ digest, contentsMessage: 'the registry answers 401' }],
    unheardHosts: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
  })
  expect(noteOnFound(found)).toBe(`\
1 host runs it; 4 more hold it: 1 staged, 1 to boot next, 2 to go back to
1 host may have it, as nobody knows what their image consists of: u1
  9c41d0aa7b12 is not known: the registry answers 401
7 hosts did not say what they run: a, b, c, d, e and 2 more
`)
})

it('nobody, and several images of one version, are told', () => {
  expect(noteOnFound(create(FindHostsResponseSchema, {}))).toBe('no hosts run it\n')
  const unknownImages = Array.from({ length: 7 }, () => ({ digest, contentsMessage: 'why' }))
  const found = create(FindHostsResponseSchema, { images: [{}, {}], unknownImages, unheardHosts: ['a'] })
  expect(noteOnFound(found)).toContain('no hosts run it (2 images)\n')
  expect(noteOnFound(found)).toContain('  and 2 more images\n1 host did not say what it runs: a\n')
})

it('an image is shown with who runs it, its age, and what it is to each fleet', () => {
  const listed = create(ListImagesResponseSchema, {
    images: [
      {
        digest,
        repository: 'quay.example/os/edge',
        version: '42.0.9',
        hostsRunning: 13,
        hostsHolding: 2,
        firstSeenMs: nowMs - 40n * day,
        deniedIn: ['edge'],
        fleets: [
          { fleet: '', hostsRunning: 1 },
          { fleet: 'edge', hostsRunning: 12, hostsHolding: 2, wanted: true, stable: true },
        ],
      },
      { digest },
    ],
    hostsUnheard: 1,
  })
  expect(renderTable(imageTable(listed.images, nowMs, plain))).toBe(`\
IMAGE                REPOSITORY            RUNNING  HOLDING  AGE  FLEETS                 STANDING
42.0.9@9c41d0aa7b12  quay.example/os/edge  13       2        40d  (no fleet) 1, edge 12  ⊘ denied in edge; wanted by edge; stable of edge
9c41d0aa7b12         -                     0        0        -    -                      -
`)
  expect(noteOnImages(listed)).toBe('1 host did not say what it runs\n')
  expect(noteOnImages(create(ListImagesResponseSchema, { hostsUnheard: 2 }))).toBe(
    'no images: no host said what it runs, and no fleet names one\n2 hosts did not say what they run\n',
  )
})

it('what hosts that only report run beside images is told', () => {
  const systems = [
    { name: 'Debian GNU/Linux 12', hostsRunning: 2, fleets: ['', 'edge'] },
    { name: 'quay.io/os:42', hostsRunning: 1, fleets: ['edge'] },
  ]
  expect(noteOnImages(create(ListImagesResponseSchema, { images: [{ digest }], systems }))).toBe(`\
2 hosts that only report run Debian GNU/Linux 12: (no fleet), edge
1 host that only reports runs quay.io/os:42: edge
`)
  const many = Array.from({ length: 23 }, (_, index) => ({
    name: `os ${index}`,
    hostsRunning: 1,
    fleets: [''],
  }))
  const note = noteOnImages(create(ListImagesResponseSchema, { images: [{ digest }], systems: many }))
  expect(note).toContain('and 3 more systems; -o json has all of them\n')
})
