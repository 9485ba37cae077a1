import { nameSchema, word } from './scalar-schema.ts'
import { closed, complain, listOf, refuseTwice } from './schema-forms.ts'
import type { VerificationSigner } from './types.ts'

const keyPathSchema = word(
  /^(?=.{1,256}$)(?:[A-Za-z0-9_][A-Za-z0-9._-]*\/)*[A-Za-z0-9_][A-Za-z0-9._-]*\.pub$/,
  'is not the path of a key: of a file whose name ends in .pub, relative to the source, without ".." and hidden folders (for example keys/release.pub)',
)

const issuerSchema = word(
  /^https:\/\/[!-~]{1,512}$/,
  'is not an issuer: the https address of who vouches for the signer (for example https://token.actions.githubusercontent.com)',
)

/** What a certificate says, so that a wildcard in an exact one is a mistake. */
const subjectSchema = word(
  /^(?:(?!\*)[!-~]){1,512}$/,
  'is not a subject: an e-mail address or the address of a workflow, exactly; one with "*" is a subjectPattern',
)

const subjectPatternSchema = word(
  /^(?!\**$)[!-~]{1,512}$/,
  'is not a pattern of subjects: the whole of one, in which "*" stands for anything (for example https://github.com/acme/os/*)',
)

const signerSchema = closed({
  trustedRoot: nameSchema.describe("Name of one in the controller's own configuration."),
  issuer: issuerSchema.describe('Exactly, as the certificate has it.'),
  subject: subjectSchema.optional().describe('Exactly, as the certificate has it.'),
  subjectPattern: subjectPatternSchema
    .optional()
    .describe('From beginning to end; "*" stands for any characters.'),
}).transform(({ issuer, subject, subjectPattern, trustedRoot }, context): VerificationSigner => {
  if ((subject === undefined) === (subjectPattern === undefined)) {
    const message = 'exactly one of subject and subjectPattern is needed'
    complain(context, { input: subject, message })
  }
  return subjectPattern === undefined
    ? { trustedRoot, issuer, subject: { kind: 'exact', value: subject ?? '' } }
    : { trustedRoot, issuer, subject: { kind: 'pattern', value: subjectPattern } }
})

const cosignSchema = closed({
  keys: listOf(keyPathSchema, 8)
    .check((context) => refuseTwice(context, { keyOf: (path) => path, field: null, what: 'key' }))
    .optional()
    .describe('Files of the same commit: public keys (ECDSA P-256, Ed25519 or RSA) in PEM form.'),
  configuredKeys: listOf(nameSchema, 8)
    .check((context) => refuseTwice(context, { keyOf: (name) => name, field: null, what: 'key' }))
    .optional()
    .describe("Names of keys in the controller's own configuration."),
  keyless: listOf(signerSchema, 8).optional().describe('Who may sign with a short-lived certificate.'),
}).check((context) => {
  const { configuredKeys = [], keyless = [], keys = [] } = context.value
  if (keys.length + configuredKeys.length + keyless.length > 0) return
  const message = 'names nobody who may sign: write keys, configuredKeys or keyless'
  complain(context, { input: context.value, message })
})

/** Any one of those that are named suffices. */
export const verifySchema = closed({ cosign: cosignSchema })
