import * as z from 'zod'
import { dateOf, dayNumberOf } from './calendar.ts'
import { quote } from './issue.ts'
import { word, wrong } from './scalar-schema.ts'
import { complain } from './schema-forms.ts'
import { didYouMean } from './spelling.ts'
import { isTimeZone, timeZoneNames } from './zone.ts'
import type { LocalTime } from './zone.ts'

const notLocalTime = 'is not a date and time of a clock from 2000 to 2999 (for example 2026-12-24T18:30)'

export const localTimeSchema = word(
  /^2[0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]$/,
  notLocalTime,
).transform((written, context): LocalTime => {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = written.split(/\D/).map(Number)
  const date = { year, month, day }
  if (dateOf(dayNumberOf(date)).day === day) return { ...date, minuteOfDay: hour * 60 + minute }
  complain(context, { input: written, message: `${quote(written)} is on a day that its month does not have` })
  return z.NEVER
})

const notZone = 'is not the name of a time zone (for example Europe/Berlin or UTC)'

export const timeZoneSchema = z
  .string(wrong(notZone))
  .check((context) => {
    const { value } = context
    if (isTimeZone(value)) return
    const suggestion = didYouMean(value, timeZoneNames())
    complain(context, { input: value, message: `${quote(value)} ${notZone}`, suggestion })
  })
  .describe('IANA name.')
