// The midwife's forms: what is typed is kept on the server, and eSignet is asked in a window of its own.
const form = document.querySelector('form[data-draft]')
const texts = form?.dataset ?? {}

function say(text, kind = '') {
  const place = document.querySelector('[data-status]')
  place.hidden = !text
  place.className = `j-notice${kind ? ` j-notice--${kind}` : ''}`
  place.textContent = text
}

// One request at a time, in order, so that an older form never overwrites a newer one.
let keeping = Promise.resolve()
function keep() {
  if (texts.keep) keeping = keeping.then(keepNow)
  return keeping
}

async function keepNow() {
  const place = document.querySelector('[data-kept]')
  place.className = ''
  try {
    const answer = await fetch(texts.keep, { method: 'POST', body: new FormData(form), redirect: 'manual' })
    if (answer.type === 'opaqueredirect') {
      place.textContent = texts.textLoggedOut
      place.className = 'j-unkept'
      return
    }
    if (answer.status === 409) {
      place.textContent = texts.textSent
      place.className = 'j-unkept'
      return
    }
    if (!answer.ok) throw new Error(String(answer.status))
    const { verified } = await answer.json()
    for (const mark of document.querySelectorAll('[data-mark]')) mark.hidden = !verified.includes(mark.dataset.mark)
    place.textContent = texts.textKept
  } catch {
    place.textContent = texts.textNotKept
    place.className = 'j-unkept'
  }
}

if (form) {
  let timer = 0
  form.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(keep, 800)
  })
  form.addEventListener('submit', () => clearTimeout(timer))
}

// Where eSignet's window goes, and the state it comes back with.
async function begin() {
  const answer = await fetch(texts.begin, { method: 'POST', headers: { accept: 'application/json' }, redirect: 'manual' })
  if (answer.type === 'opaqueredirect') throw new Error(texts.textLoggedOut)
  const asked = await answer.json()
  if (!answer.ok) throw new Error(asked.message)
  return asked
}

// The answer that eSignet's window hands over; null when the window was closed without one.
function answerOf(popup) {
  return new Promise((resolve) => {
    const finish = (answer) => {
      clearInterval(watch)
      window.removeEventListener('message', receive)
      resolve(answer)
    }
    const receive = (message) => {
      const ours = message.origin === window.location.origin && message.source === popup
      if (ours && message.data?.type === 'janani-identity') finish(message.data)
    }
    const watch = setInterval(() => popup.closed && finish(null), 400)
    window.addEventListener('message', receive)
  })
}

async function verify(popup) {
  say(texts.textWaiting)
  await keep()
  let asked
  try {
    asked = await begin()
  } catch (error) {
    popup.close()
    say(error instanceof SyntaxError || error instanceof TypeError ? texts.textAway : error.message || texts.textAway, 'warn')
    return
  }
  popup.location = asked.url
  const answer = await answerOf(popup)
  popup.close()
  if (!answer) {
    say(texts.textClosed, 'warn')
  } else if (answer.state !== asked.state) {
    say(texts.textMixed, 'bad')
  } else {
    say(texts.textChecking)
    await keep()
    const send = document.querySelector('form[data-identity]')
    for (const name of ['code', 'state', 'error', 'iss']) send.elements[name].value = answer[name] || ''
    send.submit()
  }
}

form?.querySelector('[data-verify]')?.addEventListener('click', (event) => {
  event.preventDefault()
  // Opened at once, while the press still counts as the person's own wish.
  const popup = window.open('', 'esignet', 'popup=true,width=520,height=820')
  if (popup) {
    verify(popup)
    return
  }
  say(texts.textBlocked, 'warn')
  form.querySelector('[data-same-window]').hidden = false
})

// Waiting for her own phone: events, or asking again and again where they do not get through.
const phone = document.querySelector('[data-phone]')

function phoneIs(word) {
  const text = phone.dataset[`text${word[0].toUpperCase()}${word.slice(1)}`]
  if (text) phone.textContent = text
  if (word === 'done') document.querySelector('form[data-finish]').submit()
  return word === 'done'
}

async function askAgain() {
  try {
    const answer = await fetch(phone.dataset.state, { headers: { accept: 'application/json' }, redirect: 'manual' })
    if (answer.ok && phoneIs((await answer.json()).status)) return
  } catch {
    // no connection: asked again all the same
  }
  setTimeout(askAgain, 3000)
}

if (phone) {
  const stream = new EventSource(phone.dataset.events)
  let heard = false
  stream.addEventListener('state', (event) => {
    heard = true
    if (phoneIs(event.data)) stream.close()
  })
  stream.addEventListener('error', () => {
    if (heard && stream.readyState !== EventSource.CLOSED) return
    stream.close()
    setTimeout(askAgain, 1000)
  })
}
