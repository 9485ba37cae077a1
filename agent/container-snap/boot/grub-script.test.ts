import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { parseEntries, renderEntries } from './grub-entries.ts'
import type { GrubEntry, GrubVerdict } from './grub-entry.ts'
import { parseEnv, renderEnv } from './grub-env.ts'
import { kernelWords } from './grub-script.ts'

function entry(activation: number, verdict: GrubVerdict, change: Partial<GrubEntry> = {}): GrubEntry {
  return {
    title: `Tiny Linux ${activation}`,
    activation,
    architecture: 'x64',
    linux: '/bootfleet/linux-1',
    initrd: '/bootfleet/initrd-1',
    options: 'root=UUID=f00d rootflags=subvol=@var/x rw',
    deploymentId: `${String(activation).repeat(64)}-work1`,
    ...verdict,
    ...change,
  } as GrubEntry
}

async function peer(program: string, name: string, text: string, ...args: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'container-snap-grub-peer-'))
  try {
    const file = join(folder, name)
    await writeFile(file, text)
    return (await execa(program, [file, ...args])).stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}

const entries = [
  entry(1, { kind: 'bad', triesDone: null }),
  entry(2, { kind: 'good' }, { title: 'It\'s $HOME\'s "tiny" {Linux} ünicode' }),
  entry(3, { kind: 'trial', tries: 9 }, { options: 'root=UUID=f00d dyndbg="file a.c +p; x" a=$b |c&<>' }),
  entry(4, { kind: 'trial', tries: null }),
  entry(5, { kind: 'staged' }),
]

describe('the entries for GRUB', () => {
  test('are read back as they were written', () => {
    expect(parseEntries(renderEntries(entries))).toEqual({ entries, torn: false })
    expect(parseEntries(renderEntries([]))).toEqual({ entries: [], torn: false })
  })

  test.each([[entries], [entries.slice(0, 1)], [entries.slice(1, 2)], [entries.slice(2, 4)]])(
    'are a script that GRUB’s own checker takes',
    async (some) => {
      expect(await peer('grub-script-check', 'entries.cfg', renderEntries(some))).toBe('')
    },
  )

  test('cut short anywhere are known to be torn, and choose nothing', () => {
    const text = renderEntries(entries)
    const cuts = Array.from({ length: text.length }, (_cut, length) => text.slice(0, length))
    expect(cuts.filter((cut) => !parseEntries(cut).torn)).toEqual([])
    const chosen = text.lastIndexOf('set default=')
    expect(cuts.slice(0, chosen).filter((cut) => cut.includes('set default='))).toEqual([])
  })

  test.each([
    ['a changed word', (text: string) => text.replace('rootflags', 'rootflagz')],
    ['a line more', (text: string) => `${text}menuentry 'x' { true }\n`],
    ['a comment that is no entry', (text: string) => text.replace('"activation":1,', '"activation":-1,')],
    ['a comment that is no object', (text: string) => text.replace(/^#: .*$/m, '#: 7')],
    ['a comment that is no JSON', (text: string) => text.replace(/^#: .*$/m, '#: {')],
  ])('with %s are known to be torn, and the rest is read', (_name, change) => {
    const found = parseEntries(change(renderEntries(entries)))
    expect(found.torn).toBe(true)
    expect(found.entries).toContainEqual(entries[4])
  })

  test.each([
    [{ deploymentId: 'x' }],
    [{ title: 7 }],
    [{ architecture: 7 }],
    [{ kind: 'trial', tries: 'many' }],
    [{ kind: 'bad', triesDone: 10 }],
    [{ kind: 'new' }],
  ])('with a field that nobody wrote are torn: %j', (change) => {
    const broken = { ...entries[1]!, ...change } as GrubEntry
    const text = renderEntries([broken])
    expect(parseEntries(text)).toEqual({ entries: [], torn: true })
  })
})

describe('a kernel’s line through GRUB', () => {
  test('keeps words with blanks together, without the quotes that GRUB puts there itself', () => {
    expect(kernelWords('a  b="c d" "e f"=g h')).toEqual(['a', 'b=c d', 'e f=g', 'h'])
    expect(kernelWords('')).toEqual([])
  })

  test.each([String.raw`a\b`, "it's", 'a="b'])('refuses what GRUB would change: %s', (options) => {
    expect(() => kernelWords(options)).toThrow(/^write the entry for GRUB: .*: GRUB cannot pass on/)
  })
})

describe('GRUB’s environment block', () => {
  test('is read and written as grub-editenv does', async () => {
    const text = renderEnv({ tries_7: '3', other: 'x' })
    expect(text.length).toBe(1024)
    expect(await peer('grub-editenv', 'env', text, 'list')).toBe('tries_7=3\nother=x')
    const script = 'grub-editenv "$0" set tries_7=2 && cat "$0"'
    const folder = await mkdtemp(join(tmpdir(), 'container-snap-grub-peer-'))
    try {
      const file = join(folder, 'env')
      await writeFile(file, text)
      const { stdout } = await execa('sh', ['-c', script, file], { stripFinalNewline: false })
      expect(parseEnv(stdout)).toEqual({ tries_7: '2', other: 'x' })
      await execa('grub-editenv', [`${file}2`, 'create'])
      const made = await execa('cat', [`${file}2`], { stripFinalNewline: false })
      expect(made.stdout).toBe(renderEnv({}))
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test.each([
    ['one that is short', renderEnv({}).slice(1)],
    ['one without its first line', '#'.repeat(1024)],
    ['one with something else in it', renderEnv({}).replace('##', '\nx')],
    ['an empty one', ''],
  ])('%s is torn', (_name, text) => {
    expect(parseEnv(text)).toBeNull()
  })
})
