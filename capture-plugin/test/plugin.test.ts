import { describe, expect, it } from 'vitest'
import { ConfigFault, DEFAULTS, readConfig } from '../src/config'
import { fillingOf, formatted, isChanged, stillVerified, type Verified } from '../src/filling'
import en from '../src/i18n/en.json'
import si from '../src/i18n/si.json'
import ta from '../src/i18n/ta.json'
import { answerIn } from '../src/message'
import { problemOf, refusalOf } from '../src/problems'
import { languageOf, wordsIn } from '../src/words'

const ORIGIN = 'https://dhis2.example'

describe('configuration', () => {
  it('is good when there is none', () => expect(readConfig(undefined, ORIGIN)).toEqual(DEFAULTS))
  it('keeps defaults of what it leaves out', () => {
    const read = readConfig({ client: 'capture', routes: { identity: 'other' }, fields: { name: '@status' } }, ORIGIN)
    expect(read.routes).toEqual({ ...DEFAULTS.routes, identity: 'other' })
    expect(read.client).toBe('capture')
  })
  it.each([
    [[], 'config'],
    [{ colour: 1 }, 'colour'],
    [{ client: 3 }, 'client'],
    [{ routes: { identity: '../users' } }, 'routes.identity'],
    [{ routes: { token: 'x' } }, 'token'],
    [{ ways: [] }, 'ways'],
    [{ ways: ['fax'] }, 'ways'],
    [{ fields: { name: 'short' } }, 'fields.name'],
    [{ fields: { name: '@everything' } }, 'fields.name'],
    [{ texts: { en: 'Verify' } }, 'texts.en'],
    [{ redirectUri: 'callback.html' }, 'redirectUri'],
    [{ redirectUri: 'https://elsewhere.example/callback.html' }, 'redirectUri'],
    [{ redirectUri: `${ORIGIN}/plugin.html#userInfo` }, 'redirectUri']
  ])('refuses %j and names the place', (raw, place) => {
    expect(() => readConfig(raw, ORIGIN)).toThrow(ConfigFault)
    expect(() => readConfig(raw, ORIGIN)).toThrow(place)
  })
})

const verified: Verified = {
  status: 'VERIFIED',
  provider: 'https://esignet.example',
  acr: 'mosip:idp:acr:generated-code',
  verifiedAt: '2026-11-21T09:30:00+05:30',
  subject: 'sub',
  attributes: [
    { attribute: 'VQl0wK3eqiw', value: 'Selvi', claim: 'name' },
    { attribute: 'Yie7mOY913J', value: '1998-03-04', claim: 'birthdate' },
    { attribute: 'gGAQeOr1Pgu', value: '+94771234567', claim: 'phone_number' }
  ],
  withheld: [],
  unreadable: []
}
const form = {
  fullName: { id: 'VQl0wK3eqiw', type: 'TEXT' },
  dateOfBirth: { id: 'Yie7mOY913J', type: 'DATE' },
  status: { id: 'DnpoYKfw1Kk', type: 'TEXT' },
  marked: { id: 'rAxosTRZwb0', type: 'TEXT' }
}

describe('filling', () => {
  const config = { ...DEFAULTS, fields: { status: '@status', marked: '@verifiedFields', ghost: 'VQl0wK3eqiw' } }
  const { filled, unknown, unfit } = fillingOf(verified, config, form)
  const value = (alias: string) => filled.find((each) => each.alias === alias)?.value
  it('fills each alias by its own attribute, or by what is configured', () => {
    expect(value('fullName')).toBe('Selvi')
    expect(value('dateOfBirth')).toBe('1998-03-04')
    expect(value('status')).toBe('VERIFIED')
    expect(value('marked')).toBe('VQl0wK3eqiw,Yie7mOY913J')
    expect(unfit).toEqual([])
  })
  it('writes no alias that the form does not have', () => {
    expect(unknown).toEqual(['ghost'])
    expect(filled.map((each) => each.alias)).not.toContain('ghost')
    expect(filled).toHaveLength(4)
  })
  it('reports a field that cannot hold the value', () => {
    const odd = { fullName: { id: 'VQl0wK3eqiw', type: 'INTEGER' } }
    expect(fillingOf(verified, DEFAULTS, odd)).toEqual({ filled: [], unknown: [], unfit: ['fullName'] })
  })
  it('takes the mark from a field that was changed by hand', () => {
    const values = { fullName: 'Selvi R', dateOfBirth: '1998-03-04' }
    expect(filled.filter((each) => isChanged(each, values)).map((each) => each.alias)).toEqual(['fullName'])
    expect(stillVerified(filled, values)).toBe('Yie7mOY913J')
  })
  it.each([
    ['DATE', '1998-02-30', null],
    ['DATE', '1998/02/03', null],
    ['AGE', '1998-02-03', { date: '1998-02-03' }],
    ['TIME', '23:59', '23:59'],
    ['TIME', '24:00', null],
    ['BOOLEAN', 'true', 'true'],
    ['BOOLEAN', 'yes', null],
    ['TRUE_ONLY', 'false', null],
    ['NUMBER', '1.5', '1.5'],
    ['INTEGER', '1.5', null],
    ['COORDINATE', '1,2', null],
    ['DATETIME', 'yesterday', null],
    ['PHONE_NUMBER', '+94771234567', '+94771234567']
  ])('writes %s %s as %j', (type, text, expected) => expect(formatted(text, { id: 'x', type })).toEqual(expected))
  it('takes only codes of an option set', () => {
    const field = { id: 'x', type: 'TEXT', optionSet: { options: [{ value: 'Female' }, { code: 'Male' }] } }
    expect(['Female', 'Male', 'F'].map((each) => formatted(each, field))).toEqual(['Female', 'Male', null])
  })
})

describe('the answer of the window', () => {
  const popup = {}
  const good = { origin: ORIGIN, source: popup, data: { type: 'janani-identity', code: 'c', state: 's', iss: 3 } }
  it('is read', () => expect(answerIn(good, ORIGIN, popup)).toEqual({ code: 'c', state: 's', error: '', iss: '' }))
  it.each([
    ['another origin', { ...good, origin: 'https://dhis2.example.evil' }],
    ['another window', { ...good, source: {} }],
    ['another message', { ...good, data: { ...good.data, type: 'authInfo' } }],
    ['no message', { ...good, data: null }]
  ])('is not believed from %s', (_, message) => expect(answerIn(message, ORIGIN, popup)).toBeNull())
})

describe('words', () => {
  it('are there in all languages, with the same places to fill', () => {
    const places = (texts: Record<string, string>) =>
      Object.entries(texts).map(([key, text]) => [key, (text.match(/\{\w+\}/g) ?? []).sort()])
    expect(places(si)).toEqual(places(en))
    expect(places(ta)).toEqual(places(en))
  })
  it('are in the language wanted first that there is', () => {
    expect(languageOf([undefined, 'fr', 'si_LK', 'ta'])).toBe('si')
    expect(languageOf([])).toBe('en')
  })
  it('can be replaced by the configuration', () => {
    const words = wordsIn('ta', { ta: { verify: 'X {who}' } })
    expect(words('verify', { who: 'Y' })).toBe('X Y')
    expect(words('phone')).toBe(ta.phone)
  })
  it.each([
    [400, { error: 'access_refused' }, 'refused'],
    [400, { error: 'state_unknown' }, 'over'],
    [503, { error: 'provider_silent' }, 'away'],
    [502, { error: 'bad_signature' }, 'untrusted'],
    [502, { httpStatusCode: 502, message: 'x' }, 'away'],
    [400, { error: 'other_redirect_uri' }, 'setup'],
    [403, null, 'notAllowed'],
    [404, null, 'setup'],
    [401, null, 'loggedOut'],
    [409, null, 'failed']
  ])('for %i %j are of %s', (status, body, key) => {
    expect(problemOf(status, body).words).toBe(key)
    expect(en).toHaveProperty(key)
  })
  it('tell a refusal from an end', () => {
    expect([refusalOf('access_denied').words, refusalOf('').words]).toEqual(['refused', 'ended'])
  })
})
