import * as z from 'zod'
import { ControllerError } from '../errors.ts'
import { ask } from './registry-session.ts'
import type { Session } from './registry-session.ts'

/** Registries give fewer where they like; some give at most 100. */
const PAGE_SIZE = 1000
const PAGES_MAX = 200
const TAGS_MAX = 20_000

/** Docker's registry says null where a repository has no tags. */
const Page = z.object({ tags: z.array(z.string().max(128)).nullable() })

/**
 * All tags of the session's repository. More than the bound is an error, not a shorter list: the newest version
 * could be among those that are left out, and an older one be taken for it.
 */
export async function listTags(session: Session): Promise<readonly string[]> {
  const tags: string[] = []
  let query = `?n=${PAGE_SIZE}`
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const reply = await ask(session, 'GET', `tags/list${query}`)
    tags.push(...tagsIn(reply.body, session))
    if (tags.length > TAGS_MAX) break
    const next = nextQuery(reply.header('link'), reply.url)
    if (next === null) return tags
    query = next
  }
  const found = `there are more than ${TAGS_MAX} tags, or the list has more than ${PAGES_MAX} pages`
  throw new ControllerError(
    'ImageInvalid',
    `listing ${session.name}: ${found}; remove old tags or follow one`,
  )
}

function tagsIn(body: Buffer, session: Session): readonly string[] {
  try {
    return Page.parse(JSON.parse(body.toString('utf8'))).tags ?? []
  } catch (cause) {
    const found = 'the answer is no list of tags; check the registry'
    throw new ControllerError('RegistryUnreachable', `listing ${session.name}: ${found}`, { cause })
  }
}

/**
 * Only the query of the link is taken: a registry behind a proxy often names itself by an address that is not
 * ours, and none may send our credentials elsewhere.
 */
function nextQuery(link: string | undefined, base: string): string | null {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1]
  if (target === undefined || !URL.canParse(target, base)) return null
  const { search } = new URL(target, base)
  return search === '' ? null : search
}
