import { printable } from './code-frame.ts'
import type { Issue } from './types.ts'

const maxQuotedLength = 60

/** As a compiler writes it: position, message, suggestion, then the lines around it. */
export function formatIssue(issue: Issue): string {
  const suggestion = issue.suggestion === null ? '' : `; ${issue.suggestion}`
  const headline = `${printable(issue.path)}:${issue.line}:${issue.column}: ${issue.message}${suggestion}`
  return issue.frame === '' ? headline : `${headline}\n${issue.frame}`
}

/** `spec.waves[1].upTo`; a key that is no plain word is quoted. */
export function formatFieldPath(path: readonly PropertyKey[]): string {
  let formatted = ''
  for (const part of path) {
    const key = String(part)
    if (typeof part === 'number') formatted += `[${key}]`
    else if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(key)) formatted += `[${quote(key)}]`
    else formatted += formatted === '' ? key : `.${key}`
  }
  return formatted
}

/** A value as a message shows it: short, on one line, and never more of a file than needed. */
export function quote(value: unknown): string {
  if (typeof value === 'string') {
    const shown = value.length > maxQuotedLength ? `${value.slice(0, maxQuotedLength)}…` : value
    return printable(JSON.stringify(shown))
  }
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a map'
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'nothing'
}
