/** @type {import('@dhis2/cli-app-scripts').D2Config} */
module.exports = {
  type: 'app',
  name: 'janani-verify-identity',
  title: 'Verify with National ID',
  description: 'Form-field plugin for the Capture app: a verified identity fills the form.',
  minDHIS2Version: '2.41',
  pluginType: 'CAPTURE',
  direction: 'auto',
  entryPoints: { app: './src/App.tsx', plugin: './src/Plugin.tsx' }
}
