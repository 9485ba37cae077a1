import { Document } from 'yaml'
import type { Node } from 'yaml'
import { formatDuration } from './duration.ts'
import { renderSelector } from './render-selector.ts'
import { renderStrategy } from './render-strategy.ts'
import { apiVersion } from './schema-forms.ts'
import type {
  DesiredState,
  Fleet,
  Freeze,
  HostDeclaration,
  ImageReference,
  ImageVerification,
} from './types.ts'
import { instantToLocal } from './zone.ts'

/**
 * The same state in the syntax that it is written in, with every default spelled out: what is parsed from it
 * differs only in where fleets are declared. `removable` is a file of its own, and only named in a comment.
 */
export function renderDesiredState({ fleets, hosts, freezes, removable }: DesiredState): string {
  const strategies = new Map(fleets.map(({ strategy }) => [strategy.name, strategy]))
  const documents = [
    ...fleets.map((fleet) => renderDocument('Fleet', fleet.name, fleetSpec(fleet))),
    ...[...strategies.values()].map((each) =>
      renderDocument('RolloutStrategy', each.name, renderStrategy(each)),
    ),
    ...hosts.map((host) => renderDocument('Host', host.name, hostSpec(host))),
    ...freezes.map((freeze) => renderDocument('Freeze', freeze.name, freezeSpec(freeze))),
  ]
  const head = removable.length === 0 ? '' : `# .bootfleet/allow-removal: ${removable.join(', ')}\n`
  return head + documents.join('---\n')
}

type Spec = Readonly<Record<string, unknown>>

/** One line for each field, and for each entry of a list. */
function renderDocument(kind: string, name: string, spec: Spec): string {
  const document = new Document(null, { compat: 'yaml-1.1' })
  const inline = (value: unknown): Node => document.createNode(value, { flow: true })
  const fields = Object.entries(spec).map(([field, value]) => {
    const isLong = Array.isArray(value) && value.some((entry) => typeof entry === 'object')
    return [field, isLong ? value.map(inline) : inline(value)] as const
  })
  const metadata = inline({ name })
  const contents = { apiVersion, kind, metadata, spec: Object.fromEntries(fields) }
  return new Document(contents, { compat: 'yaml-1.1' }).toString({ lineWidth: 0 })
}

function fleetSpec(fleet: Fleet): Spec {
  return {
    selector: renderSelector(fleet.selector),
    image: {
      ...imageOf(fleet.image),
      ...(fleet.verify !== null && { verify: verifyOf(fleet.verify) }),
      lint: fleet.lint,
    },
    requires: fleet.requires.map(({ below, digest, reason }) => ({ from: `<${below}`, via: digest, reason })),
    downgrade: fleet.downgrade,
    deny: fleet.deny.map(({ digest, reason }) => ({ digest, reason })),
    strategy: fleet.strategy.name,
    suspend: fleet.suspend,
  }
}

function imageOf(image: ImageReference): Spec {
  switch (image.kind) {
    case 'digest':
      return { repository: image.repository, digest: image.digest }
    case 'tag':
      return { repository: image.repository, tag: image.tag, minimumAge: formatDuration(image.minimumAgeMs) }
    case 'semver':
      return {
        repository: image.repository,
        semver: image.range,
        minimumAge: formatDuration(image.minimumAgeMs),
      }
    case 'fleet':
      return { from: { fleet: image.fleet, succeededFor: formatDuration(image.succeededForMs) } }
  }
}

/** Keys are files of their own, and named as they are in the source. */
function verifyOf({ keys, signers }: ImageVerification): Spec {
  const files = keys.flatMap((key) => (key.kind === 'file' ? [key.path] : []))
  const configured = keys.flatMap((key) => (key.kind === 'configured' ? [key.name] : []))
  const keyless = signers.map(({ issuer, subject, trustedRoot }) => ({
    trustedRoot,
    issuer,
    [subject.kind === 'exact' ? 'subject' : 'subjectPattern']: subject.value,
  }))
  return {
    cosign: {
      ...(files.length > 0 && { keys: files }),
      ...(configured.length > 0 && { configuredKeys: configured }),
      ...(keyless.length > 0 && { keyless }),
    },
  }
}

function hostSpec({ allowUnguardedBoot, hold, kernelArguments, labels, pin }: HostDeclaration): Spec {
  return {
    labels,
    ...(pin !== null && { pin }),
    ...(kernelArguments !== undefined && { kernelArguments }),
    ...(allowUnguardedBoot !== undefined && { allowUnguardedBoot }),
    ...(hold !== null && {
      hold: {
        ...(hold.untilMs !== null && { until: renderInstant(hold.untilMs), timeZone: 'UTC' }),
        reason: hold.reason,
      },
    }),
  }
}

function freezeSpec({ except, fromMs, selector, toMs }: Freeze): Spec {
  const time = { from: renderInstant(fromMs), to: renderInstant(toMs), timeZone: 'UTC' }
  return { ...time, selector: renderSelector(selector), except }
}

function renderInstant(ms: number): string {
  const { day, minuteOfDay, month, year } = instantToLocal(ms, 'UTC')
  const two = (value: number) => String(value).padStart(2, '0')
  const time = `${two(Math.floor(minuteOfDay / 60))}:${two(minuteOfDay % 60)}`
  return `${year}-${two(month)}-${two(day)}T${time}`
}
