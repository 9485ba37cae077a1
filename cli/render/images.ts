import type {
  FindHostsResponse,
  HostWithImage,
  ImageStatus,
  ListImagesResponse,
  SystemStatus,
} from '../../proto/gen/bootfleet/v1/images_pb.ts'
import { imageWord } from '../../proto/picture/words.ts'
import { fits, renderRows } from './fit.ts'
import type { Style } from './style.ts'
import { ageWord, stateWord, timeWord } from './words.ts'

type Rows = readonly (readonly string[])[]

const NAMED_MAX = 5
const SYSTEMS_MAX = 20

/** In a narrow terminal since when is only how long ago, and what most have in common is left out. */
export function foundLines(
  hosts: readonly HostWithImage[],
  nowMs: bigint,
  { columns, style }: { readonly columns: number | null; readonly style: Style },
): readonly string[] {
  const whole = foundTable(hosts, nowMs, { form: 'whole', style })
  const isWide = columns === null || fits(whole, columns)
  const rows = isWide ? whole : foundTable(hosts, nowMs, { form: 'short', style })
  return renderRows(rows, { columns, optional: ['FLEET', 'SEEN'], last: 'cell' })
}

type Form = 'whole' | 'short'

function foundTable(
  hosts: readonly HostWithImage[],
  nowMs: bigint,
  { form, style }: { readonly form: Form; readonly style: Style },
): Rows {
  const connected = form === 'short' ? 'now' : 'connected'
  const rows = hosts.map((host) => [
    host.name,
    orDash(host.fleet),
    host.digest === '' && host.reference !== '' ? host.reference : imageWord(host.version, host.digest),
    sinceWord(host.sinceMs, nowMs, form),
    stateWord(host.phase, style),
    host.connected ? connected : `away ${ageWord(host.lastSeenMs, nowMs)}`,
  ])
  return [['HOST', 'FLEET', 'IMAGE', 'SINCE', 'PHASE', 'SEEN'], ...rows]
}

function sinceWord(sinceMs: bigint, nowMs: bigint, form: Form): string {
  const age = ageWord(sinceMs, nowMs)
  return form === 'short' ? age : `${timeWord(sinceMs)} (${age})`
}

/** For stderr: what the table leaves out, and what nobody can say. */
export function noteOnFound({
  hosts,
  images,
  unheardHosts,
  unknownHosts,
  unknownImages,
}: FindHostsResponse): string {
  const count = (hold: string): number => hosts.filter((host) => host.hold === hold).length
  const running = count('Booted')
  const others = [
    [count('Staged'), 'staged'],
    [count('BootsNext'), 'to boot next'],
    [count('Previous'), 'to go back to'],
  ] as const
  const holding = others.flatMap(([number, word]) => (number === 0 ? [] : [`${number} ${word}`]))
  const more = hosts.length - running
  const which = images.length > 1 ? ` (${images.length} images)` : ''
  let text = `${hostsWord(running)} ${running === 1 ? 'runs' : 'run'} it${which}`
  if (more > 0) text += `; ${more} more ${more === 1 ? 'holds' : 'hold'} it: ${holding.join(', ')}`
  text += '\n'
  const byName = hosts.filter(({ digest }) => digest === '')
  if (byName.length > 0) {
    text += `${hostsWord(byName.length)} ${byName.length === 1 ? 'goes' : 'go'} by that name alone, without a digest to compare: ${named(byName)}\n`
  }
  if (unknownHosts.length > 0) {
    text += `${hostsWord(unknownHosts.length)} may have it, as nobody knows what their image consists of: ${named(unknownHosts)}\n`
  }
  for (const image of unknownImages.slice(0, NAMED_MAX)) {
    text += `  ${imageWord(image.version, image.digest)} is not known: ${image.contentsMessage}\n`
  }
  if (unknownImages.length > NAMED_MAX) text += `  and ${unknownImages.length - NAMED_MAX} more images\n`
  if (unheardHosts.length > 0) {
    text += `${hostsWord(unheardHosts.length)} did not say what ${unheardHosts.length === 1 ? 'it runs' : 'they run'}: ${named(unheardHosts.map((name) => ({ name })))}\n`
  }
  return text
}

export function imageTable(images: readonly ImageStatus[], nowMs: bigint, style: Style): Rows {
  const rows = images.map((image) => [
    imageWord(image.version, image.digest),
    orDash(image.repository),
    `${image.hostsRunning}`,
    `${image.hostsHolding}`,
    ageWord(image.firstSeenMs, nowMs),
    orDash(fleetsWord(image)),
    standing(image, style),
  ])
  return [['IMAGE', 'REPOSITORY', 'RUNNING', 'HOLDING', 'AGE', 'FLEETS', 'STANDING'], ...rows]
}

export function noteOnImages({ hostsUnheard, images, systems }: ListImagesResponse): string {
  const text =
    (images.length === 0 ? 'no images: no host said what it runs, and no fleet names one\n' : '') +
    systemsNote(systems)
  if (hostsUnheard === 0) return text
  return `${text}${hostsWord(hostsUnheard)} did not say what ${hostsUnheard === 1 ? 'it runs' : 'they run'}\n`
}

/** Hosts that only report and run none of these. */
function systemsNote(systems: readonly SystemStatus[]): string {
  const lines = systems.slice(0, SYSTEMS_MAX).map(({ fleets, hostsRunning, name }) => {
    const where = fleets.map((fleet) => (fleet === '' ? '(no fleet)' : fleet)).join(', ')
    return `${hostsWord(hostsRunning)} that only ${hostsRunning === 1 ? 'reports runs' : 'report run'} ${name}: ${where}\n`
  })
  const more = systems.length - SYSTEMS_MAX
  return lines.join('') + (more > 0 ? `and ${more} more systems; -o json has all of them\n` : '')
}

/** `edge 12, shop 3`: by how many hosts it runs there. */
function fleetsWord({ fleets }: ImageStatus): string {
  return fleets
    .filter(({ hostsRunning }) => hostsRunning > 0)
    .map(({ fleet, hostsRunning }) => `${fleet === '' ? '(no fleet)' : fleet} ${hostsRunning}`)
    .join(', ')
}

function standing({ deniedIn, fleets }: ImageStatus, style: Style): string {
  const of = (word: string, names: readonly string[]): readonly string[] =>
    names.length === 0 ? [] : [`${word} ${names.join(', ')}`]
  const denied = of('⊘ denied in', deniedIn).map((text) => style('bad', text))
  const wanted = of(
    'wanted by',
    fleets.filter((each) => each.wanted).map(({ fleet }) => fleet),
  )
  const stable = of(
    'stable of',
    fleets.filter((each) => each.stable).map(({ fleet }) => fleet),
  )
  return orDash([...denied, ...wanted, ...stable].join('; '))
}

function named(hosts: readonly { readonly name: string }[]): string {
  const names = hosts.slice(0, NAMED_MAX).map(({ name }) => name)
  return hosts.length > NAMED_MAX
    ? `${names.join(', ')} and ${hosts.length - NAMED_MAX} more`
    : names.join(', ')
}

function hostsWord(count: number): string {
  return count === 1 ? '1 host' : `${count === 0 ? 'no' : count} hosts`
}

function orDash(text: string): string {
  return text === '' ? '-' : text
}
