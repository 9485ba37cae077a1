import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { createRegistryClient } from './registry-client.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function tagsFrom(answer: RequestListener): Promise<readonly string[]> {
  const server = createServer(answer)
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = createRegistryClient({ plainHttpHosts: [host] })
  try {
    return await client.tags(`${host}/os/edge`, new AbortController().signal)
  } finally {
    await client.close()
  }
}

/** A registry that gives `size` tags a page; the address in its links is up to `linkTo`. */
function paged(all: readonly string[], size: number, linkTo: string): RequestListener {
  return (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://registry')
    const start = all.indexOf(searchParams.get('last') ?? '') + 1
    const tags = all.slice(start, start + size)
    if (start + size < all.length)
      response.setHeader('link', `<${linkTo}?n=${size}&last=${tags.at(-1)}>; rel="next"`)
    response.end(JSON.stringify({ name: 'os/edge', tags }))
  }
}

const many = Array.from({ length: 25 }, (_, number) => `42.0.${number}`)

it.each(['/v2/os/edge/tags/list', 'http://inside:5000/v2/os/edge/tags/list', ''])(
  'follows the pages of a list, whatever address its links have: %j',
  async (linkTo) => {
    expect(await tagsFrom(paged(many, 10, linkTo))).toEqual(many)
  },
)

it('takes a repository without tags for an empty list', async () => {
  expect(await tagsFrom((_, response) => response.end('{"name":"os/edge","tags":null}'))).toEqual([])
})

it('refuses a list that does not end, rather than to miss the newest version', async () => {
  const endless: RequestListener = (_, response) => {
    response.setHeader('link', '</v2/os/edge/tags/list?last=a>; rel="next"').end('{"tags":["a"]}')
  }
  await expect(tagsFrom(endless)).rejects.toMatchObject({
    code: 'ImageInvalid',
    message: expect.stringContaining('more than 200 pages') as string,
  })
})

it('refuses more tags than it may hold', async () => {
  const flood = JSON.stringify({ tags: Array.from({ length: 20_001 }, (_, number) => `t${number}`) })
  await expect(tagsFrom((_, response) => response.end(flood))).rejects.toMatchObject({ code: 'ImageInvalid' })
})

it.each(['<html>', '{"tags":"none"}', '{"tags":[1]}'])('says that %s is no list', async (text) => {
  await expect(tagsFrom((_, response) => response.end(text))).rejects.toMatchObject({
    code: 'RegistryUnreachable',
    message: expect.stringContaining('no list of tags') as string,
  })
})

it('says that a repository does not exist', async () => {
  await expect(tagsFrom((_, response) => response.writeHead(404).end())).rejects.toMatchObject({
    code: 'ImageNotFound',
  })
})
