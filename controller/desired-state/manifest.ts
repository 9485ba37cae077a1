import type * as z from 'zod'
import type { Flaw, YamlDocument } from './document.ts'
import { formatFieldPath, quote } from './issue.ts'
import { apiVersion, fleetSchema, rolloutStrategySchema } from './schema.ts'
import { closest } from './spelling.ts'

type ReadableDocument = Extract<YamlDocument, { readonly ok: true }>

/** `content` is null when the document has flaws; its name is still declared, so that references to it hold. */
export type Manifest = {
  readonly document: ReadableDocument
  readonly kind: string
  readonly name: string
  readonly content: z.output<typeof fleetSchema> | z.output<typeof rolloutStrategySchema> | null
}

const schemas = { Fleet: fleetSchema, RolloutStrategy: rolloutStrategySchema }
const kinds = Object.keys(schemas)

export function readManifest(document: ReadableDocument): {
  manifest: Manifest | null
  flaws: readonly Flaw[]
} {
  const { apiVersion: version, kind, name } = headOf(document.value)
  if (version !== apiVersion) {
    const message =
      version === undefined ? 'apiVersion: is required' : `apiVersion: ${quote(version)} is not known`
    const suggestion = `write apiVersion: ${apiVersion}`
    return {
      manifest: null,
      flaws: [{ offset: document.offsetOf(['apiVersion'], 'value'), message, suggestion }],
    }
  }
  if (kind !== 'Fleet' && kind !== 'RolloutStrategy') {
    const message = kind === undefined ? 'kind: is required' : `kind: ${quote(kind)} is not known`
    const suggestion = didYouMean(String(kind), kinds) ?? `known kinds: ${kinds.join(', ')}`
    return { manifest: null, flaws: [{ offset: document.offsetOf(['kind'], 'value'), message, suggestion }] }
  }
  const parsed = schemas[kind].safeParse(document.value, { reportInput: true })
  const content = parsed.success ? parsed.data : null
  const flaws = parsed.success ? [] : parsed.error.issues.flatMap((issue) => flawsOf(issue, document))
  return { manifest: typeof name === 'string' ? { document, kind, name, content } : null, flaws }
}

function headOf(value: unknown): { apiVersion: unknown; kind: unknown; name: unknown } {
  const field = (parent: unknown, key: string): unknown =>
    typeof parent === 'object' && parent !== null
      ? Object.getOwnPropertyDescriptor(parent, key)?.value
      : undefined
  return {
    apiVersion: field(value, 'apiVersion'),
    kind: field(value, 'kind'),
    name: field(field(value, 'metadata'), 'name'),
  }
}

function flawsOf(issue: z.core.$ZodIssue, document: ReadableDocument): readonly Flaw[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      offset: document.offsetOf([...path, key], 'key'),
      message: `${formatFieldPath([...path, key])}: unknown field`,
      suggestion: didYouMean(key, issue.message.split(' ')),
    }))
  }
  const text =
    issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join(', ') : issue.message
  const suggestion =
    issue.code === 'invalid_value' && typeof issue.input === 'string'
      ? didYouMean(issue.input, issue.values.map(String))
      : null
  const offset = document.offsetOf(path, issue.code === 'invalid_key' ? 'key' : 'value')
  return [{ offset, message: `${formatFieldPath(path)}: ${text}`, suggestion }]
}

export function didYouMean(word: string, candidates: readonly string[]): string | null {
  const meant = closest(word, candidates)
  return meant === null ? null : `did you mean "${meant}"?`
}
