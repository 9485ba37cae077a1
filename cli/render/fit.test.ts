import stringWidth from 'string-width'
import { expect, it } from 'vitest'
import { foldLine, renderFacts, renderRows } from './fit.ts'

const rows = [
  ['HOST', 'FLEET', 'BOOTED', 'HEALTH', 'MESSAGE'],
  [
    'till-17',
    'edge',
    '42.0.9@9c41d0aa7b12',
    'Failed',
    'health check unit:sshd.service failed twice; fell back at 14:09',
  ],
  ['till-18', 'edge', '42.0.9@9c41d0aa7b12', 'Passed', ''],
]
const optional = ['HEALTH', 'FLEET']

it('what fits, or goes to no terminal, is one line per row', () => {
  const lines = renderRows(rows, { columns: null, optional })
  expect(lines).toEqual(renderRows(rows, { columns: 200, optional }))
  expect(lines[0]).toBe('HOST     FLEET  BOOTED               HEALTH  MESSAGE\n')
})

it('at 60 columns the message goes below its row, wrapped at words', () => {
  expect(renderRows(rows, { columns: 60, optional }).join('')).toBe(`\
HOST     FLEET  BOOTED               HEALTH
till-17  edge   42.0.9@9c41d0aa7b12  Failed
    health check unit:sshd.service failed twice; fell back
    at 14:09
till-18  edge   42.0.9@9c41d0aa7b12  Passed
`)
})

it('at 30 columns what matters least is left out too, and nothing that is shown is cut', () => {
  const text = renderRows(rows, { columns: 30, optional }).join('')
  expect(text).toContain('HOST     BOOTED\ntill-17  42.0.9@9c41d0aa7b12\n')
  expect(text).toContain('fell back')
  expect(Math.max(...text.split('\n').map((line) => stringWidth(line)))).toBeLessThanOrEqual(30)
})

it('a fact that does not fit goes on below itself, and one that fits stays as it is', () => {
  const facts = [
    ['Phase:', '✖ RolledBack'],
    ['Why:', 'health check web-up failed twice'],
  ]
  expect(renderFacts(facts, 24)).toBe(`\
Phase:  ✖ RolledBack
Why:    health check
        web-up failed
        twice
`)
  expect(renderFacts(facts, 80)).toBe(renderFacts(facts, null))
})

it('a sentence that does not fit goes on in the next line, further in', () => {
  expect(foldLine(' ⊘ denied edge: failed its check', 20)).toBe(
    ' ⊘ denied edge:\n     failed its\n     check\n',
  )
  expect(foldLine('as it is', null)).toBe('as it is\n')
  expect(foldLine(`a ${'b'.repeat(30)} c`, 12)).toBe(`a\n    ${'b'.repeat(30)}\n    c\n`)
})
