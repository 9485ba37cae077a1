import * as z from 'zod'
import { positiveDurationSchema, word } from './scalar-schema.ts'
import { closed, complain, listOf, oneOf, someOf } from './schema-forms.ts'
import { timeZoneSchema } from './time-schema.ts'
import type { Weekday, Window } from './types.ts'

const everyDay = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const satisfies readonly Weekday[]
const weekMs = 7 * 86_400_000

const timeOfDaySchema = word(
  /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/,
  'is not a time of day from "00:00" to "23:59", in quotes',
).transform((written) => {
  const [hours = 0, minutes = 0] = written.split(':').map(Number)
  return hours * 60 + minutes
})

const windowSchema = closed({
  kind: oneOf(['Allow', 'Deny']).describe('Deny beats Allow; without any Allow it is always allowed.'),
  days: someOf(everyDay).optional().describe('On which it starts; default every day.'),
  start: timeOfDaySchema.describe('In local time of the zone.'),
  duration: positiveDurationSchema.describe('Real time that goes by, at most 7d.'),
  timeZone: timeZoneSchema,
  actions: someOf(['Download', 'Activate']).optional().describe('What it is about; default Activate.'),
}).transform((written, context): Window => {
  const { kind, days = everyDay, start, duration, timeZone, actions = ['Activate'] } = written
  if (duration > weekMs) {
    const message = 'is longer than a week, so that it would never end'
    complain(context, { input: duration, path: ['duration'], message })
    return z.NEVER
  }
  return { kind, days, startMinute: start, durationMs: duration, timeZone, actions }
})

export const windowsSchema = listOf(windowSchema, 32)
