// The identity provider sends the person here; the answer goes to the form that opened this window, on this origin only.
const query = new URLSearchParams(window.location.search)
const answer = Object.fromEntries(['code', 'state', 'error', 'iss'].map((name) => [name, query.get(name) ?? '']))
window.history.replaceState(null, '', window.location.pathname) // the code does not stay in the history
if (window.opener && !window.opener.closed) {
  window.opener.postMessage({ type: 'janani-identity', ...answer }, window.location.origin)
  window.close()
}
