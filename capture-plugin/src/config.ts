/** The plugin's configuration: key `config` of the dataStore namespace `janani-capture-plugin`. Pure. */

export const NAMESPACE = 'janani-capture-plugin'
export const KEY = 'config'
export const WAYS = ['here', 'phone'] as const
/** What is known of a verification besides attributes; a field may show it: `"identityStatus": "@status"`. */
export const FACTS = ['@status', '@provider', '@level', '@verifiedAt', '@subject', '@verifiedFields'] as const

export type Way = (typeof WAYS)[number]

export interface Config {
  /** Name of the relying party's client. It decides provider, claims asked for and their mapping. Empty: its first. */
  client: string
  /** The page that receives the code; empty: `callback.html` beside this plugin. */
  redirectUri: string
  /** Codes of the registry's Routes. */
  routes: { authorization: string; identity: string; verifications: string }
  ways: Way[]
  /** Alias → UID of the attribute or fact that fills it. An alias that is not named is filled by its own attribute. */
  fields: Record<string, string>
  /** Language → key of i18n/en.json → text shown instead. */
  texts: Record<string, Record<string, string>>
}

export const DEFAULTS: Config = {
  client: '',
  redirectUri: '',
  routes: {
    authorization: 'identity-authorization',
    identity: 'relying-party-service',
    verifications: 'identity-verifications'
  },
  ways: ['here', 'phone'],
  fields: {},
  texts: {}
}

/** The configuration is wrong; the message is for who configures, and names the place. */
export class ConfigFault extends Error {}

const isObject = (raw: unknown): raw is Record<string, unknown> =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw)

/** `raw` with the defaults of what it leaves out; nothing at all is a good configuration. Throws ConfigFault. */
export function readConfig(raw: unknown, origin: string): Config {
  if (raw === null || raw === undefined) return DEFAULTS
  const given = members(raw, '', Object.keys(DEFAULTS))
  return {
    client: text(given.client, 'client'),
    redirectUri: redirect(text(given.redirectUri, 'redirectUri'), origin),
    routes: { ...DEFAULTS.routes, ...codes(given.routes) },
    ways: ways(given.ways),
    fields: fields(given.fields),
    texts: texts(given.texts)
  }
}

function members(raw: unknown, place: string, known: string[]): Record<string, unknown> {
  const where = place || KEY
  if (!isObject(raw)) throw new ConfigFault(`${where}: an object is needed here.`)
  for (const name of Object.keys(raw)) {
    if (!known.includes(name)) throw new ConfigFault(`${where}: "${name}" is not known; possible: ${known.join(', ')}.`)
  }
  return raw
}

function text(raw: unknown, place: string): string {
  if (raw === undefined) return ''
  if (typeof raw !== 'string') throw new ConfigFault(`${place}: a text is needed here.`)
  return raw
}

/** The answer is handed over within one origin only (reference §11.6 no. 6 and 9). */
function redirect(uri: string, origin: string): string {
  if (!uri) return ''
  let parts: URL
  try {
    parts = new URL(uri)
  } catch {
    throw new ConfigFault('redirectUri: a whole address is needed here.')
  }
  if (parts.origin !== origin) throw new ConfigFault(`redirectUri: must be on ${origin}, where this plugin is.`)
  if (uri.includes('#') || uri.includes('*')) throw new ConfigFault('redirectUri: exact, without # and *.')
  return uri
}

function codes(raw: unknown): Partial<Config['routes']> {
  if (raw === undefined) return {}
  const given = members(raw, 'routes', Object.keys(DEFAULTS.routes))
  for (const [name, code] of Object.entries(given)) {
    if (typeof code !== 'string' || !/^[\w.-]+$/.test(code)) throw new ConfigFault(`routes.${name}: the code of a Route.`)
  }
  return given as Partial<Config['routes']>
}

function ways(raw: unknown): Way[] {
  if (raw === undefined) return DEFAULTS.ways
  if (!Array.isArray(raw) || !raw.length || raw.some((each) => !WAYS.includes(each))) {
    throw new ConfigFault(`ways: a list of ${WAYS.join(', ')}.`)
  }
  return raw
}

function fields(raw: unknown): Record<string, string> {
  if (raw === undefined) return {}
  if (!isObject(raw)) throw new ConfigFault('fields: an object is needed here.')
  for (const [alias, source] of Object.entries(raw)) {
    const known = typeof source === 'string' && (/^[A-Za-z]\w{10}$/.test(source) || (FACTS as readonly string[]).includes(source))
    if (!known) throw new ConfigFault(`fields.${alias}: the UID of an attribute, or one of ${FACTS.join(', ')}.`)
  }
  return raw as Record<string, string>
}

function texts(raw: unknown): Record<string, Record<string, string>> {
  if (raw === undefined) return {}
  if (!isObject(raw)) throw new ConfigFault('texts: an object is needed here.')
  for (const [language, words] of Object.entries(raw)) {
    const good = isObject(words) && Object.values(words).every((each) => typeof each === 'string')
    if (!good) throw new ConfigFault(`texts.${language}: texts by their key.`)
  }
  return raw as Record<string, Record<string, string>>
}
