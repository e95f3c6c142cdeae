/**
 * A stand-in for the Capture app in tests: one form whose plugin gets exactly the props Capture passes (reference
 * §11.3), through the runtime's own `Plugin`. Which fields, and their aliases, is what the server's dataStore says
 * (`capture/dataEntryForms`), as in Capture.
 */
import { Provider } from '@dhis2/app-runtime'
import { Plugin } from '@dhis2/app-runtime/experimental'
import React, { useCallback, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'

interface Element {
  id: string
  type: string
  pluginSource?: string
  fieldMap?: { IdFromApp: string; IdFromPlugin: string; objectType: string }[]
}

const program = new URLSearchParams(window.location.search).get('program') ?? ''
const read = async (path: string) => (await fetch(`/api/${path}`)).json()

function Form({ plugin, metadata }: { plugin: Element; metadata: Record<string, any> }) {
  const [values, setValues] = useState<Record<string, unknown>>({})
  const setFieldValue = useCallback(({ fieldId, value }: { fieldId: string; value: unknown }) => {
    if (!(fieldId in metadata)) return console.error(`unknown alias ${fieldId}`)
    setValues((before) => ({ ...before, [fieldId]: value }))
  }, [])
  const nothing = useCallback(() => undefined, [])
  const shown = (value: any) => (typeof value === 'object' ? `${value.date} ${value.time ?? ''}`.trim() : String(value ?? ''))
  return (
    <>
      <Plugin
        pluginSource={plugin.pluginSource}
        values={values}
        errors={{}}
        warnings={{}}
        fieldsMetadata={metadata}
        formSubmitted={false}
        viewMode={false}
        orgUnitId="orgUnit0001"
        setFieldValue={setFieldValue}
        setContextFieldValue={nothing}
      />
      {Object.entries(metadata).map(([alias, field]) => (
        <label key={alias} style={{ display: 'block' }}>
          {field.formName}{' '}
          <input data-alias={alias} value={shown(values[alias])} onChange={(event) => setFieldValue({ fieldId: alias, value: event.target.value })} />
        </label>
      ))}
    </>
  )
}

function Host() {
  const [form, setForm] = useState<{ plugin: Element; metadata: Record<string, any> } | null>(null)
  useEffect(() => {
    const load = async () => {
      const forms = await read('dataStore/capture/dataEntryForms')
      const plugin: Element = forms[program][0].elements.find((each: Element) => each.type === 'plugin')
      const metadata: Record<string, any> = {}
      for (const { IdFromApp, IdFromPlugin } of plugin.fieldMap ?? []) {
        const fields = 'id,name,shortName,code,formName,description,valueType,unique,optionSet[id,options[id,code,name]]'
        const found = await read(`trackedEntityAttributes/${IdFromApp}?fields=${fields}`)
        const { valueType, optionSet, ...rest } = found
        const options = optionSet?.options?.map((each: any) => ({ id: each.id, value: each.code, text: each.name }))
        metadata[IdFromPlugin] = {
          ...rest,
          formName: rest.formName ?? rest.name,
          type: valueType,
          disabled: false,
          compulsory: false,
          searchable: false,
          optionSet: optionSet ? { id: optionSet.id, options } : null
        }
      }
      setForm({ plugin, metadata })
    }
    void load()
  }, [])
  return form && <Form {...form} />
}

const config = { baseUrl: window.location.origin, apiVersion: 42, appName: 'capture' } as any
createRoot(document.getElementById('root')!).render(
  <Provider config={config} plugin={false} parentAlertsAdd={() => undefined} showAlertsInPlugin={false}>
    <Host />
  </Provider>
)
