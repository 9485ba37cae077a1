type FieldKind = 'text' | 'texts' | 'number' | 'flag' | 'text-or-null' | 'number-or-null'
type Shape = Readonly<Record<string, FieldKind>>

const shapes = {
  image: {
    imageId: 'text',
    digests: 'texts',
    manifestDigest: 'text',
    subvolumeUuid: 'text',
    sizeBytes: 'number',
    readyAt: 'text-or-null',
  },
  deployment: {
    subvolumeUuid: 'text',
    id: 'text',
    imageId: 'text',
    digest: 'text',
    manifestDigest: 'text',
    createdAt: 'text',
    pinned: 'flag',
    stagedAt: 'text-or-null',
    activation: 'number-or-null',
    blessedAt: 'text-or-null',
    bad: 'text-or-null',
    source: 'text-or-null',
    kernelArguments: 'texts',
  },
  pull: { digest: 'text', manifestDigests: 'texts', bootId: 'text', startedAt: 'text' },
  creating: { name: 'text', imageId: 'text', purpose: 'text' },
  selected: { subvolumeUuid: 'text', imageId: 'text' },
  activating: { subvolumeUuid: 'text', activation: 'number', bootId: 'text' },
  moved: { id: 'text', to: 'text', digest: 'text', user: 'text', command: 'text', at: 'text' },
} as const satisfies Record<string, Shape>

/** What the absence of a field means that came after the first ledgers; a ledger without it is not damaged. */
export const added = {
  ledger: { activating: null, activations: 0, moved: null },
  deployment: {
    stagedAt: null,
    activation: null,
    blessedAt: null,
    bad: null,
    source: null,
    kernelArguments: [],
  },
  creating: { purpose: 'copy' },
} as const

export function filled(value: unknown, fields: object): unknown {
  if (Array.isArray(value)) return value.map((item) => filled(item, fields))
  return typeof value === 'object' && value !== null ? { ...fields, ...value } : value
}

function isKind(value: unknown, kind: FieldKind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string'
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
    case 'number':
      return typeof value === 'number'
    case 'flag':
      return typeof value === 'boolean'
    case 'text-or-null':
      return value === null || typeof value === 'string'
    case 'number-or-null':
      return value === null || typeof value === 'number'
  }
}

function fits(value: unknown, shape: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Record<string, unknown>
  return Object.entries(shape).every(([name, kind]) => isKind(fields[name], kind))
}

function allFit(value: unknown, shape: Shape): boolean {
  return Array.isArray(value) && value.every((item) => fits(item, shape))
}

export function isSound(fields: Readonly<Record<string, unknown>>): boolean {
  const fitsOrNull = (name: 'creating' | 'selected' | 'activating' | 'moved'): boolean =>
    fields[name] === null || fits(fields[name], shapes[name])
  return (
    fields['version'] === 1 &&
    allFit(fields['images'], shapes.image) &&
    allFit(fields['deployments'], shapes.deployment) &&
    allFit(fields['pulls'], shapes.pull) &&
    fitsOrNull('creating') &&
    fitsOrNull('selected') &&
    fitsOrNull('activating') &&
    fitsOrNull('moved') &&
    typeof fields['activations'] === 'number'
  )
}
