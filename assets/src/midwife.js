// The registration form: keeps what is typed on the server, and asks eSignet in a window of its own.
const form = document.querySelector('form[data-draft]')
const say = (text, kind = '') => {
  const place = document.querySelector('[data-status]')
  place.hidden = !text
  place.className = `j-notice${kind ? ` j-notice--${kind}` : ''}`
  place.textContent = text
}

if (form) {
  const texts = form.dataset
  let timer = 0
  const keep = async () => {
    try {
      const answer = await fetch(texts.keep, { method: 'POST', body: new FormData(form) })
      if (!answer.ok) throw new Error(String(answer.status))
      document.querySelector('[data-kept]').textContent = texts.textKept
    } catch {
      document.querySelector('[data-kept]').textContent = texts.textNotKept
    }
  }
  form.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(keep, 800)
  })

  const button = form.querySelector('[data-verify]')
  button?.addEventListener('click', async (event) => {
    event.preventDefault()
    // The window is opened at once, while the press still counts as the person's own wish.
    const popup = window.open('', 'esignet', 'popup=true,width=520,height=820')
    if (!popup) {
      say(texts.textBlocked, 'warn')
      form.querySelector('[data-same-window]').hidden = false
      return
    }
    say(texts.textWaiting)
    await keep()
    let asked
    try {
      const answer = await fetch(texts.begin, { method: 'POST', headers: { accept: 'application/json' } })
      asked = await answer.json()
      if (!answer.ok) throw new Error(asked.message)
    } catch (error) {
      popup.close()
      say(error.message || texts.textAway, 'warn')
      form.querySelector('[data-pending]')?.removeAttribute('hidden')
      return
    }
    popup.location = asked.url
    const finish = () => {
      clearInterval(watch)
      window.removeEventListener('message', receive)
    }
    const receive = (message) => {
      if (message.origin !== window.location.origin || message.source !== popup) return
      if (message.data?.type !== 'janani-identity') return
      finish()
      popup.close()
      if (message.data.state !== asked.state) {
        say(texts.textMixed, 'bad')
        return
      }
      const send = document.querySelector('form[data-identity]')
      for (const name of ['code', 'state', 'error', 'iss']) send.elements[name].value = message.data[name] || ''
      say(texts.textChecking)
      send.submit()
    }
    window.addEventListener('message', receive)
    const watch = setInterval(() => {
      if (!popup.closed) return
      finish()
      say(texts.textClosed, 'warn')
    }, 500)
  })
}
