import { useConfig, useDataQuery } from '@dhis2/app-runtime'
import { useMemo } from 'react'
import { type Config, ConfigFault, DEFAULTS, KEY, NAMESPACE, readConfig } from './config'
import { Relying } from './relying'
import { languageOf, type Words, wordsIn } from './words'

export interface Setup {
  ready: boolean
  words: Words
  language: string
  config: Config
  relying: Relying
  /** What is wrong with the configuration; empty: nothing. */
  fault: string
}

const me = { me: { resource: 'me', params: { fields: 'settings' } } }
const stored = { config: { resource: `dataStore/${NAMESPACE}/${KEY}` } }

/** The configuration of this server and the user's language. Without a configuration the defaults hold. */
export function useSetup(): Setup {
  const { baseUrl, apiVersion } = useConfig()
  const person = useDataQuery(me)
  const found = useDataQuery(stored)
  const missing = (found.error?.details as { httpStatusCode?: number } | undefined)?.httpStatusCode === 404
  return useMemo(() => {
    const settings = (person.data?.me as { settings?: { keyUiLocale?: string } } | undefined)?.settings
    const language = languageOf([settings?.keyUiLocale, navigator.language])
    let config = DEFAULTS
    let fault = found.error && !missing ? found.error.message : ''
    try {
      config = readConfig(found.data?.config, window.location.origin)
    } catch (error) {
      if (!(error instanceof ConfigFault)) throw error
      fault = error.message
    }
    const api = `${baseUrl}/api${apiVersion ? `/${apiVersion}` : ''}`
    return {
      ready: !person.loading && !found.loading,
      words: wordsIn(language, config.texts),
      language,
      config,
      relying: new Relying(api, config, language),
      fault
    }
  }, [baseUrl, apiVersion, person.data, person.loading, found.data, found.error, found.loading, missing])
}
