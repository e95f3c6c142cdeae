// Reads the code of a card by camera or from a picture. Where the browser reads no codes by itself, a reader is fetched.
const form = document.querySelector('form[data-card]')
const video = form.querySelector('[data-card-video]')
const button = form.querySelector('[data-card-camera]')
const status = form.querySelector('[data-status]')
const canvas = document.createElement('canvas')
const pen = canvas.getContext('2d', { willReadFrequently: true })
const sizes = [1600, 1200, 900, 700] // px of the longer side; a code missed in one is often read in another
let stream = null

function say(text) {
  status.textContent = text
  status.hidden = false
}

async function reader() {
  const formats = await window.BarcodeDetector?.getSupportedFormats?.()
  const { BarcodeDetector } = formats?.includes('qr_code') ? window : await import('qr/decode.js')
  return new BarcodeDetector({ formats: ['qr_code'] })
}

async function codeIn(detector, image, width, height, size) {
  const scale = Math.min(1, size / Math.max(width, height))
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  pen.drawImage(image, 0, 0, canvas.width, canvas.height)
  return (await detector.detect(canvas))[0]?.rawValue
}

function take(code) {
  say(form.dataset.textFound)
  form.elements.qr.value = code
  form.submit()
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop()
  stream = null
  video.hidden = true
  button.textContent = form.dataset.textStart
}

async function look() {
  const detector = await reader()
  const wanted = { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } }
  stream = await navigator.mediaDevices.getUserMedia({ video: wanted })
  video.srcObject = stream
  video.hidden = false
  button.textContent = form.dataset.textStop
  say(form.dataset.textLooking)
  await video.play()
  for (let turn = 0; stream; turn++) {
    const code = await codeIn(detector, video, video.videoWidth, video.videoHeight, sizes[turn % sizes.length])
    if (code && stream) {
      stop()
      take(code)
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function pressed() {
  if (stream) {
    stop()
    status.hidden = true
    return
  }
  button.disabled = true
  const waiting = look().catch((fault) => {
    stop()
    say(fault.name === 'NotAllowedError' ? form.dataset.textRefused : form.dataset.textCamera)
  })
  await Promise.race([waiting, new Promise((resolve) => video.addEventListener('playing', resolve, { once: true }))])
  button.disabled = false
}

async function chosen(event) {
  const [file] = event.target.files
  if (!file) return
  say(form.dataset.textReading)
  try {
    const detector = await reader()
    const picture = await createImageBitmap(file)
    for (const size of [...sizes, Infinity]) {
      const code = await codeIn(detector, picture, picture.width, picture.height, size)
      if (code) return take(code)
    }
  } catch {
    // no picture, or one that the browser can't show
  }
  event.target.value = ''
  say(form.dataset.textNone)
}

button.hidden = !navigator.mediaDevices?.getUserMedia
button.addEventListener('click', pressed)
form.querySelector('[data-card-picture]').addEventListener('change', chosen)
form.querySelector('[data-card-reader]').hidden = false
