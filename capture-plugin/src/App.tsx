import { NoticeBox } from '@dhis2/ui'
import React from 'react'
import { KEY, NAMESPACE } from './config'
import { useSetup } from './useSetup'

/** The app's own page: whether the configuration can be read. The plugin itself is shown by the Capture app. */
export default function App() {
  const { ready, fault, words, config } = useSetup()
  if (!ready) return null
  return (
    <main style={{ padding: 16, maxWidth: 720 }}>
      <h1>{words('title')}</h1>
      {fault ? (
        <NoticeBox error title={words('setup')}>
          {words('configuration', { fault })}
        </NoticeBox>
      ) : (
        <pre>{`${NAMESPACE}/${KEY}\n${JSON.stringify(config, null, 2)}`}</pre>
      )}
    </main>
  )
}
