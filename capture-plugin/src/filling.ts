/** A verified identity as values of the form's fields, in the formats of reference §11.3. Pure. */
import type { Config } from './config'
import type { FieldMetadata, FieldValue } from './props'

/** The relying party's application/vnd.dhis2.attributes+json. */
export interface Verified {
  status: string
  provider: string
  acr: string
  verifiedAt: string
  subject: string
  attributes: { attribute: string; value: string; claim: string }[]
  withheld: string[]
  unreadable: string[]
}

export interface Filled {
  alias: string
  /** The attribute's UID. */
  attribute: string
  value: FieldValue
  /** Whether the person's identity provider vouches for it: an attribute, not a fact about the verification. */
  vouched: boolean
}

export interface Filling {
  filled: Filled[]
  /** Aliases of the configuration that the form does not have: an operator's mistake. */
  unknown: string[]
  /** Aliases whose field can't hold the value. */
  unfit: string[]
}

/** What to write where. Only aliases of the form are written; others are reported. */
export function fillingOf(verified: Verified, config: Config, form: Record<string, FieldMetadata>): Filling {
  const values = new Map(verified.attributes.map((each) => [each.attribute, each.value]))
  const result: Filling = { filled: [], unknown: Object.keys(config.fields).filter((alias) => !(alias in form)), unfit: [] }
  const rows = Object.entries(form).map(([alias, field]) => ({ alias, field, source: config.fields[alias] ?? field.id }))
  for (const { alias, field, source } of rows.filter((row) => row.source !== '@verifiedFields')) {
    const text = source.startsWith('@') ? fact(verified, source) : values.get(source)
    if (text === undefined || text === '') continue
    const value = formatted(text, field)
    if (value === null) result.unfit.push(alias)
    else result.filled.push({ alias, attribute: field.id, value, vouched: !source.startsWith('@') })
  }
  for (const { alias, field } of rows.filter((row) => row.source === '@verifiedFields')) {
    result.filled.push({ alias, attribute: field.id, value: stillVerified(result.filled, {}), vouched: false })
  }
  return result
}

/** The attributes that are still as verified, comma-separated; `values` are the form's present ones. */
export function stillVerified(filled: Filled[], values: Record<string, unknown>): string {
  return filled
    .filter((each) => each.vouched && !isChanged(each, values))
    .map((each) => each.attribute)
    .join(',')
}

/** Whether someone has changed a verified field since. A value the form has not taken over yet is no change. */
export function isChanged(each: Filled, values: Record<string, unknown>): boolean {
  if (!(each.alias in values)) return false
  const now = values[each.alias]
  return shown(now) !== shown(each.value)
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value !== 'object') return String(value)
  const { date = '', time = '' } = value as { date?: string; time?: string }
  return `${date} ${time}`.trim()
}

function fact(verified: Verified, source: string): string | undefined {
  const facts: Record<string, string> = {
    '@status': verified.status,
    '@provider': verified.provider,
    '@level': verified.acr,
    '@verifiedAt': verified.verifiedAt,
    '@subject': verified.subject
  }
  return facts[source]
}

/** `text` as the field's type wants it; null when it can't be that. */
export function formatted(text: string, field: FieldMetadata): FieldValue | null {
  const codes = field.optionSet?.options?.map((each) => each.code ?? each.value)
  if (codes?.length && !codes.includes(text)) return null
  switch (field.type) {
    case 'DATE':
      return isDate(text) ? text : null
    case 'AGE':
      return isDate(text) ? { date: text } : null
    case 'DATETIME':
      return moment(text)
    case 'TIME':
      return /^([01]\d|2[0-3]):[0-5]\d$/.test(text) ? text : null
    case 'BOOLEAN':
      return text === 'true' || text === 'false' ? text : null
    case 'TRUE_ONLY':
      return text === 'true' ? text : null
    case 'NUMBER':
    case 'PERCENTAGE':
    case 'UNIT_INTERVAL':
      return /^-?\d+(\.\d+)?$/.test(text) ? text : null
    case 'INTEGER':
    case 'INTEGER_POSITIVE':
    case 'INTEGER_NEGATIVE':
    case 'INTEGER_ZERO_OR_POSITIVE':
      return /^-?\d+$/.test(text) ? text : null
    case 'COORDINATE':
    case 'POLYGON':
    case 'FILE_RESOURCE':
    case 'IMAGE':
    case 'ORGANISATION_UNIT':
      return null // no claim of a person is one of these
    default:
      return text
  }
}

function isDate(text: string): boolean {
  const made = new Date(`${text}T00:00:00Z`)
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(made.valueOf()) && made.toISOString().startsWith(text)
}

/** An instant in the clock of who sits before the form. */
function moment(text: string): FieldValue | null {
  const at = new Date(text)
  if (Number.isNaN(at.valueOf())) return null
  const two = (number: number) => String(number).padStart(2, '0')
  return {
    date: `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
    time: `${two(at.getHours())}:${two(at.getMinutes())}`
  }
}
