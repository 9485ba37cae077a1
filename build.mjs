// Bundle each shipped program under dist/ (the agent and container-snap start many times,
// and a bundle starts six times faster than the sources under tsx).
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { build } from 'esbuild'

const programs = {
  bootfleet: 'cli/main.ts',
  'bootfleet-controller': 'controller/main.ts',
  'bootfleet-agent': 'agent/main.ts',
  'container-snap': 'agent/container-snap/main.ts',
}
// A young generation that is small is collected in short pauses: with a million hosts the usual one took 45 ms at once.
const shebangs = { 'bootfleet-controller': '#!/usr/bin/env -S node --max-semi-space-size=4' }

// CommonJS dependencies call require at run time; an ESM bundle has none of its own.
const required = `
import { createRequire as __createRequire } from 'node:module'
const require = __createRequire(import.meta.url)`

// container-snap is asked often and for little. As CommonJS it loads Node's own modules only when it uses them, which
// halves what its start takes beyond Node's.
const commonJs = new Set(['container-snap'])

// Most commands need little of the command line's program, and Node reads a file whole before it runs any of it: what
// is imported late lies in parts of its own.
const inParts = new Set(['bootfleet'])

// The controller carries its web page in itself, so that it stays one file.
const bundled = await build({
  entryPoints: ['controller/web/page/main.ts'],
  bundle: true,
  write: false,
  platform: 'browser',
  target: 'es2022',
  format: 'esm',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
})
const text = (path) => readFile(`controller/web/page/${path}`, 'utf8')
const page = {
  html: await text('page.html'),
  script: bundled.outputFiles[0].text,
  style: await text('page.css'),
  icon: await text('icon.svg'),
}

for (const [name, entry] of Object.entries(programs)) {
  // The real file's ending tells Node what it is wherever the link to it stands.
  const [format, ending] = commonJs.has(name) ? ['cjs', '.cjs'] : ['esm', '.mjs']
  const { outputFiles } = await build({
    entryPoints: { [name]: entry },
    outdir: 'dist',
    outExtension: { '.js': ending },
    chunkNames: `${name}-parts/[name]-[hash]`,
    write: false,
    bundle: true,
    splitting: inParts.has(name),
    platform: 'node',
    target: 'node20.19',
    format,
    minify: true,
    keepNames: true,
    legalComments: 'none',
    define: name === 'bootfleet-controller' ? { BOOTFLEET_PAGE: JSON.stringify(page) } : {},
    banner: format === 'esm' ? { js: required } : {},
    logLevel: 'warning',
  })
  const program = outputFiles.find(({ path }) => basename(path) === name + ending)
  // Parts first: a program that can be started has all of its own. Their names tell what is in them, and those of
  // programs that run stay.
  for (const part of outputFiles) if (part !== program) await put(part.path, part.contents)
  const shebang = shebangs[name] ?? '#!/usr/bin/env node'
  await put(program.path, `${shebang}\n${program.text.trimStart()}`, 0o755)
  await symlink(`${name}${ending}`, `dist/${name}.${process.pid}`)
  await rename(`dist/${name}.${process.pid}`, `dist/${name}`)
}

/** Test runs that start at the same time build at the same time. */
async function put(path, content, mode = 0o644) {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.${process.pid}`, content, { mode })
  await rename(`${path}.${process.pid}`, path)
}
