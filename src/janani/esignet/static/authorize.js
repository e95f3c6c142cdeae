// The sign-in page: number → channel → code → consent → back to the service, over eSignet's public endpoints.
// Where the person is, and what the server said, is kept in this tab's session storage, so that a reload or a
// change of language loses nothing. The code is never kept; everything is forgotten when the page is left.

const API = "/v1/esignet";
const { messages, claims: claimNames, lockMinutes, language, pushed, own } = JSON.parse(document.getElementById("texts").textContent);
const at = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const storageKey = "esignet:" + (() => {
  const same = new URLSearchParams(location.search);
  same.delete("ui_locales");
  same.sort();
  return same.toString();
})();
const steps = ["identifier", "channel", "code", "consent"];

const siteName = document.title.slice(document.title.lastIndexOf(" · "));

let csrf = "";
let skew = 0; // ms that our clock is behind the server's: phones' clocks are often wrong, and the envelope is dated
let state = JSON.parse(sessionStorage.getItem(storageKey) ?? "null") ?? {};

const save = () => sessionStorage.setItem(storageKey, JSON.stringify(state));
const forget = () => { state = {}; sessionStorage.removeItem(storageKey); };
const say = (key, values = {}) =>
  (messages[key] ?? messages.unknown_error).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

function clientName() {
  const name = state.details?.clientName ?? {};
  const three = { en: "eng", si: "sin", ta: "tam" }[language];
  return name[three] ?? name["@none"] ?? "";
}

// --- what the person sees -------------------------------------------------------------------------------------

function status(text) { at("status").textContent = text; }

function alertOf(text) {
  at("alert-text").textContent = text;
  at("alert").hidden = !text;
}

function show(step) {
  alertOf("");
  status("");
  document.querySelectorAll("[data-step]").forEach((section) => { section.hidden = section.dataset.step !== step; });
  const heading = document.querySelector(`[data-step="${step}"] h1`);
  document.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
  if (steps.includes(step)) {
    state.step = step;
    save();
  }
  ({ code: showCode, consent: showConsent }[step] ?? (() => {}))();
  document.title = heading.textContent + siteName;
  heading.focus();
}

function fault(text, field) {
  alertOf(text);
  if (field) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }
}

function stop(code, text) {
  state.stopped = code;
  at("stopped-text").textContent = text;
  at("go-back").hidden = !state.details;
  at("retry").hidden = code !== "unreachable";
  show("stopped");
}

// One clock for the page: the time left to finish, and on two steps what the person has to know of it.
// It is shown every second, and read aloud only when it matters.

let ticking = 0;
let said = "";

const left = (until) => Math.max(0, Math.round((until - Date.now()) / 1000));
const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

function run(seconds) {
  state.until = Date.now() + seconds * 1000;
  save();
}

function announce(key, seconds) {
  const words = seconds >= 60 ? say("minutes_left", { minutes: Math.round(seconds / 60) }) : say("seconds_left", { seconds });
  if (said === key + words) return;
  said = key + words;
  at("announce").textContent = say(key, { time: words });
}

function warn(key, seconds) {
  const mark = [30, 120].find((limit) => seconds <= limit);
  if (mark && seconds > mark - 5) announce(key, mark);
}

function tick() {
  if (!state.details || state.stopped) return;
  const all = left(state.until);
  if (all === 0) {
    stop("invalid_transaction", state.step === "consent" ? messages.consent_over : messages.invalid_transaction);
    return;
  }
  if (state.step === "code") tickCode();
  else warn("finish_in", all);
  if (state.step === "consent") at("consent-left").textContent = say("decide_in", { time: minutes(all) });
}

function tickCode() {
  const seconds = left(state.otpUntil);
  at("time-left").textContent = seconds ? say("time_left", { time: minutes(seconds) }) : messages.otp_expired;
  if (seconds) warn("time_left", seconds);
  else if (!state.over) {
    state.over = true; // once: said aloud, and the way on is a key press away
    save();
    fault(messages.otp_expired);
    at("resend").focus();
  }
  const wait = left(state.resendAt);
  at("resend").disabled = wait > 0;
  at("resend").textContent = wait ? say("resend_in", { seconds: wait }) : messages.resend;
}

function showCode() {
  const to = [state.sent?.maskedMobile, state.sent?.maskedEmail].filter(Boolean).join(` ${messages.and} `);
  at("sent-to").textContent = say(state.resent ? "sent_again" : "sent_to", { to });
  at("code").value = "";
  tick();
}

function showConsent() {
  at("consent-title").textContent = say("asks", { client: clientName() });
  at("consent-left").textContent = "";
  tick();
  const { essentialClaims, voluntaryClaims, authorizeScopes } = state.details;
  state.off ??= [];
  fill("essential", essentialClaims, "claim-required");
  fill("voluntary", voluntaryClaims, "claim-choice");
  fill("scopes", authorizeScopes, "claim-choice");
}

function fill(list, names, template) {
  at(`${list}-group`).hidden = names.length === 0;
  at(list).replaceChildren(...names.map((name) => {
    const item = at(template).content.firstElementChild.cloneNode(true);
    item.querySelector("[data-name]").textContent = claimNames[name] ?? name;
    const input = item.querySelector("input");
    if (input) {
      input.value = name;
      input.checked = !state.off.includes(name);
      input.addEventListener("change", () => {
        state.off = input.checked ? state.off.filter((other) => other !== name) : [...state.off, name];
        save();
      });
    }
    return item;
  }));
}

// --- the wire ---------------------------------------------------------------------------------------------------

class Unreachable extends Error {}
class Refused extends Error {
  constructor(code) { super(code); this.code = code; }
}

async function http(path, options) {
  let response;
  try {
    response = await fetch(API + path, { cache: "no-store", ...options });
  } catch {
    throw new Unreachable();
  }
  if (response.status >= 500) throw new Unreachable();
  return response;
}

async function fetchCsrf() {
  csrf = (await (await http("/csrf/token")).json()).token;
}

async function call(path, request, again = true) {
  if (!csrf) await fetchCsrf();
  const headers = { "content-type": "application/json", "x-xsrf-token": csrf };
  if (state.details) {
    headers["oauth-details-key"] = state.details.transactionId;
    headers["oauth-details-hash"] = await detailsHash();
  }
  const before = skew;
  const body = JSON.stringify({ requestTime: new Date(Date.now() + skew).toISOString(), request });
  const response = await http(`/authorization/${path}`, { method: "POST", headers, body });
  if (response.status === 403 && again) {
    csrf = "";
    return call(path, request, false);
  }
  const envelope = await response.json();
  const there = Date.parse(envelope.responseTime ?? "");
  if (there) skew = there - Date.now();
  if (!envelope.errors?.length) return envelope.response;
  const code = envelope.errors[0].errorCode;
  const misdated = Math.abs(skew - before) > 60_000; // our first call, or this device's clock was set meanwhile
  if (code === "invalid_request" && misdated && again) return call(path, request, false);
  throw new Refused(code);
}

async function detailsHash() {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(state.details)));
  const text = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function authorizationRequest() {
  const names = {
    client_id: "clientId", redirect_uri: "redirectUri", response_type: "responseType", scope: "scope",
    nonce: "nonce", state: "state", acr_values: "acrValues", claims_locales: "claimsLocales",
    ui_locales: "uiLocales", display: "display", prompt: "prompt", code_challenge: "codeChallenge",
    code_challenge_method: "codeChallengeMethod", id_token_hint: "idTokenHint",
  };
  const request = {};
  for (const [name, member] of Object.entries(names)) {
    if (query.get(name)) request[member] = query.get(name);
  }
  if (/^\d+$/.test(query.get("max_age") ?? "")) request.maxAge = Number(query.get("max_age"));
  if (query.get("claims")) request.claims = claimsParameter(query.get("claims"));
  return request;
}

function claimsParameter(text) {
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(decodeURIComponent(text));
  }
}

function goTo(uri, parameters) {
  const place = uri.includes("#") ? uri.slice(uri.indexOf("#")) : uri;
  forget();
  location.replace(uri + (place.includes("?") ? "&" : "?") + new URLSearchParams(parameters));
}

function returnError(code) {
  const parameters = { error_description: code };
  if (state.returns) parameters.state = state.returns;
  const issuer = state.details.configs.issuer ? { iss: state.details.configs.issuer } : {};
  goTo(state.details.redirectUri, { ...parameters, error: code, ...issuer });
}

// --- the steps --------------------------------------------------------------------------------------------------

async function begin() {
  if (state.details) {
    name();
    show(state.step ?? "identifier");
    return;
  }
  let request;
  try {
    request = authorizationRequest();
  } catch {
    stop("invalid_request", say("invalid_link", { code: "invalid_claim" }));
    return;
  }
  state.details = undefined;
  await attempt(async () => {
    const isPushed = query.get("request_uri") && query.get("client_id");
    const details = isPushed
      ? await call("par-oauth-details", { clientId: query.get("client_id"), requestUri: query.get("request_uri") })
      : await call("v3/oauth-details", request);
    state = { details, step: "identifier", returns: isPushed ? pushed.state : query.get("state") };
    run(details.configs["preauth-screen-timeout-in-secs"]);
    if ((isPushed ? pushed.prompt : query.get("prompt")) === "none") {
      returnError("login_required"); // nobody is ever signed in already
      return;
    }
    name();
    show("identifier");
  }, (code) => stop(code, code in messages ? say(code) : say("invalid_link", { code })));
}

function name() {
  clearInterval(ticking);
  ticking = setInterval(tick, 1000);
  at("code-lasts").textContent = say("code_lasts", { time: say("minutes_left", { minutes: Math.round(state.details.configs["otp.expire-in-secs"] / 60) }) });
  at("identifier-title").textContent = say(own ? "wants_own" : "wants", { client: clientName() });
}

async function sendCode(isResend) {
  const channel = document.querySelector("[name=channel]:checked").value;
  await attempt(async () => {
    const { transactionId, configs } = state.details;
    state.sent = await call("send-otp", { transactionId, individualId: state.individualId, otpChannels: [channel] });
    state.otpUntil = Date.now() + configs["otp.expire-in-secs"] * 1000;
    state.resendAt = Date.now() + configs["resend.otp.delay.secs"] * 1000;
    state.resent = isResend;
    state.over = false;
    show("code");
    at("code").focus();
  }, (code) => {
    if (code === "invalid_individual_id" || code === "invalid_identifier") {
      show("identifier");
      fault(say(code), at("individual-id"));
    } else fault(say(code, { minutes: lockMinutes }));
  });
}

async function confirmCode() {
  const code = at("code").value.trim();
  if (!/^[0-9]+$/.test(code) || code.length !== state.details.configs["otp.length"]) {
    fault(say("invalid_challenge", { digits: state.details.configs["otp.length"] }), at("code"));
    return;
  }
  await attempt(async () => {
    const { transactionId, configs } = state.details;
    const challenge = { authFactorType: "OTP", challenge: code, format: "alpha-numeric" };
    const answer = await call("v3/authenticate", {
      transactionId, individualId: state.individualId, challengeList: [challenge],
    });
    run(configs["consent.screen.timeout-in-secs"] - configs["consent.screen.timeout-buffer-in-secs"]);
    if (answer.consentAction === "CAPTURE") show("consent");
    else await finish([], []);
  }, (error) => {
    const expired = error === "auth_failed" && Date.now() > state.otpUntil;
    at("code").value = "";
    fault(say(expired ? "otp_expired" : error, { minutes: lockMinutes }), at("code"));
  });
}

async function finish(acceptedClaims, permittedAuthorizeScopes) {
  const { transactionId, configs } = state.details;
  const answer = await call("auth-code", { transactionId, acceptedClaims, permittedAuthorizeScopes });
  status(say("going_back", { client: clientName() }));
  const parameters = answer.state ? { state: answer.state } : {};
  const issuer = configs.issuer ? { iss: configs.issuer } : {};
  goTo(answer.redirectUri, { ...parameters, code: answer.code, ...issuer });
}

async function share() {
  const chosen = (list) => [...at(list).querySelectorAll("input:checked")].map((input) => input.value);
  await attempt(
    () => finish([...state.details.essentialClaims, ...chosen("voluntary")], chosen("scopes")),
    (code) => fault(say(code)),
  );
}

// Runs one step; buttons rest meanwhile. A refusal goes to `refused`; an unreachable service changes nothing.
async function attempt(work, refused) {
  const buttons = document.querySelectorAll(".esignet button");
  alertOf("");
  status(messages.working);
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await work();
  } catch (error) {
    status("");
    if (error instanceof Refused && error.code === "invalid_transaction") stop(error.code, messages.invalid_transaction);
    else if (error instanceof Refused) refused(error.code);
    else if (error instanceof Unreachable) unreachable();
    else throw error;
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
    tick();
    if (at("status").textContent === messages.working) status("");
  }
}

function unreachable() {
  if (state.details) alertOf(messages.unreachable);
  else stop("unreachable", messages.unreachable);
}

function on(id, work, event = "submit") {
  at(id).addEventListener(event, (occurred) => {
    occurred.preventDefault();
    occurred.stopPropagation(); // the site's script marks a form that is sent as busy; these stay where they are
    work();
  });
}

on("identifier-form", () => {
  const typed = at("individual-id").value.trim();
  if (!typed) {
    fault(messages.invalid_identifier, at("individual-id"));
    return;
  }
  state.individualId = typed;
  show("channel");
});
on("channel-form", () => sendCode(false));
on("resend", () => sendCode(true), "click");
on("code-form", confirmCode);
on("consent-form", share);
on("stay", () => show(state.step), "click");
on("leave", () => returnError("access_denied"), "click");
on("go-back", () => returnError(state.stopped === "invalid_transaction" ? "invalid_transaction" : "access_denied"), "click");
on("retry", begin, "click");
document.querySelectorAll("[data-refuse]").forEach((button) => button.addEventListener("click", () => show("refuse")));
document.querySelectorAll("[data-back]").forEach((button) =>
  button.addEventListener("click", () => show(button.dataset.back)));

begin();
