/** Texts in the user's language; the configuration may replace any. Pure. */
import type { Config } from './config'
import en from './i18n/en.json'
import si from './i18n/si.json'
import ta from './i18n/ta.json'

export type Key = keyof typeof en
export type Words = (key: Key, values?: Record<string, string>) => string

const LANGUAGES: Record<string, Record<string, string>> = { en, si, ta }

/** The first of `wanted` (DHIS2's `si_LK`, browsers' `si-LK`) that there are texts for, else English. */
export function languageOf(wanted: (string | undefined)[]): string {
  const short = wanted.map((each) => (each ?? '').split(/[-_]/)[0]?.toLowerCase() ?? '')
  return short.find((each) => each in LANGUAGES) ?? 'en'
}

export function wordsIn(language: string, texts: Config['texts']): Words {
  const all: Record<string, string> = { ...en, ...texts.en, ...LANGUAGES[language], ...texts[language] }
  return (key, values = {}) => (all[key] ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
}

export const isKey = (key: string): key is Key => key in en
