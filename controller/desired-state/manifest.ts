import type * as z from 'zod'
import type { Flaw, YamlDocument } from './document.ts'
import { formatFieldPath, quote } from './issue.ts'
import { apiVersion } from './schema-forms.ts'
import { manifestSchemas } from './schema.ts'
import { didYouMean } from './spelling.ts'

type ReadableDocument = Extract<YamlDocument, { readonly ok: true }>

/** `content` is null when the document has flaws; its name is still declared, so that references to it hold. */
export type Manifest = {
  readonly document: ReadableDocument
  readonly kind: Kind
  readonly name: string
  readonly content: Content | null
}

type Kind = keyof typeof manifestSchemas
type Content = z.output<(typeof manifestSchemas)[Kind]>

const kinds = Object.keys(manifestSchemas)

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
  if (!isKind(kind)) {
    const message = kind === undefined ? 'kind: is required' : `kind: ${quote(kind)} is not known`
    const suggestion = didYouMean(String(kind), kinds) ?? `known kinds: ${kinds.join(', ')}`
    return { manifest: null, flaws: [{ offset: document.offsetOf(['kind'], 'value'), message, suggestion }] }
  }
  const parsed = manifestSchemas[kind].safeParse(document.value, { reportInput: true })
  const content = parsed.success ? parsed.data : null
  const flaws = parsed.success ? [] : parsed.error.issues.flatMap((issue) => flawsOf(issue, document))
  return { manifest: typeof name === 'string' ? { document, kind, name, content } : null, flaws }
}

function isKind(kind: unknown): kind is Kind {
  return typeof kind === 'string' && Object.hasOwn(manifestSchemas, kind)
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
  const offset = document.offsetOf(path, partOf(issue))
  return [{ offset, message: `${formatFieldPath(path)}: ${text}`, suggestion: suggestionFor(issue) }]
}

function partOf(issue: z.core.$ZodIssue): 'key' | 'value' {
  const isKey = issue.code === 'custom' ? issue.params?.['part'] === 'key' : issue.code === 'invalid_key'
  return isKey ? 'key' : 'value'
}

function suggestionFor(issue: z.core.$ZodIssue): string | null {
  if (issue.code === 'invalid_value' && typeof issue.input === 'string')
    return didYouMean(issue.input, issue.values.map(String))
  const suggestion: unknown = issue.code === 'custom' ? issue.params?.['suggestion'] : null
  return typeof suggestion === 'string' ? suggestion : null
}
