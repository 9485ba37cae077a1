import { writeFile } from 'node:fs/promises'
import { create } from '@bufbuild/protobuf'
import {
  CreateTokenRequestSchema,
  CreateTokenResponseSchema,
  JoinTokenSchema,
  ListTokensRequestSchema,
} from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import type { CreateTokenResponse } from '../../proto/gen/bootfleet/v1/operator_pb.ts'
import { call } from '../client.ts'
import { CliError } from '../errors.ts'
import { exitStatus } from '../exit-status.ts'
import type { ExitStatus } from '../exit-status.ts'
import { tokenTable } from '../render/joins.ts'
import { renderJson, renderYaml, toData } from '../render/structured.ts'
import { styleFor } from '../render/style.ts'
import { renderTable } from '../render/table.ts'
import { withClient } from '../session.ts'
import type { Session } from '../session.ts'

type Output = 'table' | 'json' | 'yaml'

export type TokenWish = {
  readonly labels: Readonly<Record<string, string>>
  readonly lifeMs: number
  readonly uses: number
  /** True: as many as there are uses. */
  readonly autoApprove: number | true | undefined
  /** Where the token goes, for its owner alone; undefined: to stdout. */
  readonly file: string | undefined
  /** `host/NAME`, name or id. */
  readonly replace: string | undefined
  /** Instead of all that: hosts that are enrolled come back by their own key. */
  readonly returning: boolean
  readonly output: Output
}

/** The one time that the token is seen. */
export function runTokenCreate(session: Session, wish: TokenWish): Promise<ExitStatus> {
  const { labels, lifeMs, uses, autoApprove = 0, file, replace = '', returning, output } = wish
  const { terminal } = session
  return withClient(session, async (client) => {
    const autoApprovals = autoApprove === true ? uses : autoApprove
    const request = create(CreateTokenRequestSchema, {
      labels,
      lifeMs: BigInt(lifeMs),
      uses,
      autoApprovals,
      replaces: replace.replace(/^host\//, ''),
      returning,
    })
    const answer = await call(client, client.service.createToken, request)
    if (returning) return tellReturning(session, answer, output)
    const shown = file === undefined ? answer : { ...answer, tokenText: '' }
    if (file !== undefined) await writeToken(file, answer.tokenText)
    const data = toData(CreateTokenResponseSchema, shown)
    if (output === 'json') terminal.out(renderJson(data))
    else if (output === 'yaml') terminal.out(renderYaml(data))
    else if (file === undefined) terminal.out(`${answer.tokenText}\n`)
    const where = file === undefined ? 'it is not shown again' : `it is in ${file}`
    terminal.note(`✔ ${answer.message}; ${where}\n`)
    return exitStatus.done
  })
}

function tellReturning({ terminal }: Session, answer: CreateTokenResponse, output: Output): ExitStatus {
  const data = toData(CreateTokenResponseSchema, answer)
  if (output === 'json') terminal.out(renderJson(data))
  else if (output === 'yaml') terminal.out(renderYaml(data))
  terminal.note(`✔ ${answer.message}\n`)
  return exitStatus.done
}

async function writeToken(path: string, text: string): Promise<void> {
  await writeFile(path, `${text}\n`, { mode: 0o600, flag: 'wx' }).catch((cause: unknown) => {
    throw new CliError(
      'StateInvalid',
      `writing the token to ${path}: ${String(cause)}; revoke it, and make another`,
      {
        cause,
      },
    )
  })
}

export function runTokenList(session: Session, output: Output): Promise<ExitStatus> {
  const { terminal } = session
  return withClient(session, async (client) => {
    const { tokens } = await call(client, client.service.listTokens, create(ListTokensRequestSchema))
    const data = tokens.map((token) => toData(JoinTokenSchema, token))
    if (output === 'json') terminal.out(renderJson(data))
    else if (output === 'yaml') terminal.out(renderYaml(data))
    else if (tokens.length === 0)
      terminal.note('no tokens of the last day; "bootfleet enrol token create" makes one\n')
    else terminal.out(renderTable(tokenTable(tokens, styleFor(terminal.colour))))
    return exitStatus.done
  })
}
