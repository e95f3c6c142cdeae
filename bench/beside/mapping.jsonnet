// What by_hand.py gives, in Jsonnet. `given`: shared entries, rows, districts, and what Jsonnet has no functions for: full
// URLs by "Type/value" (UUIDs of a namespace in bytes) and the offset of the registry's zone. Its digests are its own: of
// the same content in the order of Jsonnet's names.
local person = std.parseJson(std.extVar('person'));
local given = GIVEN;
local ips = 'http://fhir.health.gov.lk/ips/';
local snomed = 'http://snomed.info/sct';
local profile(name) = { profile: [ips + 'StructureDefinition/' + name] };
local system(name) = ips + 'identifier/' + name;
local encoded(name) = 'http%3A%2F%2Ffhir.health.gov.lk%2Fips%2Fidentifier%2F' + name;
local concept(system, code, display, text) = { coding: [{ system: system, code: code, display: display }], text: text };
local instant(text) = text + given.offset;
local moment(text) = if std.endsWith(text, 'T00:00:00.000') then std.substr(text, 0, 10) else instant(text);
local entry(kind, name, value, resource) = {
  fullUrl: given.urls[kind + '/' + value],
  resource: { resourceType: kind, identifier: [{ system: system(name), value: value }] } + resource,
  request: { method: 'PUT', url: kind + '?identifier=' + encoded(name) + '%7C' + value },
};
local identifier(use, code, text, name, value) = {
  use: use,
  type: { coding: [{ system: ips + 'CodeSystem/cs-identifier-types', code: code }], text: text },
  system: system(name),
  value: value,
};
local trim(text) = std.stripChars(text, ' \t\r\n');
local is_number(text) = text != '' && std.stripChars(text, '0123456789.-') == '';
local phone(text) = if std.startsWith(text, '0') && std.length(text) == 10 then '+94' + text[1:] else text;

local enrollment = person.enrollments[0];
local held = { [one.attribute]: trim(one.value) for one in enrollment.attributes };
local words = [word for word in std.split(held.VQl0wK3eqiw, ' ') if word != ''];
local subject = { reference: given.urls['Patient/' + person.trackedEntity] };
local episode = { reference: given.urls['EpisodeOfCare/' + enrollment.enrollment] };
local device = { reference: given.device[0].fullUrl };
local unit = given.units[person.programOwners[0].orgUnit];
local owner = { reference: unit[0].fullUrl };
local user(one) = { reference: given.users[one.uid].fullUrl };
local events = std.sort(enrollment.events, function(event) event.occurredAt);

local address(text) =
  local without(part) =
    local pieces = std.split(part, ' ');
    local short = std.length(pieces) > 1 && is_number(pieces[0]) && std.length(pieces[0]) >= 3 && std.length(pieces[0]) <= 5;
    if short then { rest: std.join(' ', pieces[1:]), postal: if std.length(pieces[0]) == 5 then pieces[0] else '' }
    else { rest: part, postal: '' };
  local found = [part for part in std.map(trim, std.split(text, ',')) if part != ''];
  local cleaned = [without(part) for part in found[1:]];
  local parts = [found[0]] + [one.rest for one in cleaned];
  local postal = std.join('', [one.postal for one in cleaned]);
  local lower = std.map(std.asciiLower, parts);
  local places = [given.districts[one] for one in std.reverse(lower[1:]) if std.objectHas(given.districts, one)];
  if places == [] then [] else
    local place = places[0];
    local known = std.map(std.asciiLower, [place[0], place[1], std.strReplace(place[1], ' Province', ''), 'LK']);
    local rest = [parts[i] for i in std.range(0, std.length(parts) - 1) if i == 0 || !std.member(known, lower[i])];
    local many = std.length(rest) > 1;
    [{
      text: std.join(', ', parts),
      line: if many then rest[:std.length(rest) - 1] else rest,
      city: if many then rest[std.length(rest) - 1] else parts[std.min(1, std.length(parts) - 1)],
      district: place[0],
      state: place[1],
      [if postal != '' then 'postalCode']: postal,
      country: 'LK',
    }];

local agent(code, text) = concept('http://terminology.hl7.org/CodeSystem/provenance-participant-type', code, text, text);
local provenance(name, uid, about, recorded, who, owner) = if !given.provenance then [] else [{
  fullUrl: given.urls['Provenance/' + uid],
  resource: {
    resourceType: 'Provenance',
    meta: { tag: [{ system: system(name), code: uid }] },
    target: [about, subject],
    recorded: instant(recorded),
    agent: [
      { type: agent('enterer', 'Enterer'), who: who, onBehalfOf: owner },
      { type: agent('assembler', 'Assembler'), who: device },
    ],
    entity: [{ role: 'source', what: { identifier: { system: system(name), value: uid } } }],
  },
  request: { method: 'PUT', url: 'Provenance?_tag=' + encoded(name) + '%7C' + uid },
}];

local patient = entry('Patient', 'phn', held.IrUmPkFMDU5, {
  meta: profile('ips-patient'),
  extension: [{ url: ips + 'StructureDefinition/patient-registration-system', valueReference: device }],
  identifier: [
    identifier('official', 'PHN', 'Personal Health Number', 'phn', held.IrUmPkFMDU5),
    { use: 'secondary', system: system('esignet-subject'), value: held.CJLJmmp8r9g },
    identifier('secondary', 'NIC', 'National identity number', 'nic', held.M6NNPC3hNrb),
    { system: system('dhis2-tracked-entity'), value: person.trackedEntity },
  ],
  active: true,
  name: [{ text: held.VQl0wK3eqiw, family: words[std.length(words) - 1], given: words[:std.length(words) - 1] }],
  telecom: [{ system: 'phone', value: phone(held.gGAQeOr1Pgu), use: 'mobile' }],
  gender: std.get({ Male: 'male', Female: 'female' }, held.p7zizFkC6Lv, 'unknown'),
  birthDate: std.substr(held.Yie7mOY913J, 0, 10),
  address: address(held.EOMGwaUTMrU),
  managingOrganization: owner,
}) + { fullUrl: subject.reference };

local care = entry('EpisodeOfCare', 'dhis2-enrollment', enrollment.enrollment, {
  status: std.get({ COMPLETED: 'finished', CANCELLED: 'cancelled' }, enrollment.status, 'active'),
  type: [concept(snomed, '424525001', 'Antenatal care', 'Antenatal care')],
  patient: subject,
  managingOrganization: owner,
  identifier: [
    { system: system('dhis2-enrollment'), value: enrollment.enrollment },
    { system: system('anc-registration-number'), value: held.CSZevH4P5yV },
  ],
  period: { start: moment(enrollment.enrolledAt) },
});

local of_event(event) =
  local encounter = { reference: given.urls['Encounter/' + event.event] };
  local effective = moment(event.occurredAt);
  local performer = user(event.updatedBy);
  local at = { reference: given.units[event.orgUnit][0].fullUrl };
  local values = { [one.dataElement]: one.value for one in event.dataValues };
  [entry('Encounter', 'dhis2-event', event.event, {
    meta: profile('target-facility-encounter'),
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB', display: 'ambulatory' },
    type: [concept(ips + 'CodeSystem/anc-program-stage', 'visit', 'ANC visit', 'ANC visit')],
    subject: subject,
    episodeOfCare: [episode],
    participant: [{ individual: performer }],
    period: { start: effective, [if std.length(effective) == 10 then 'end']: effective },
    reasonCode: [concept(snomed, '77386006', 'Pregnancy', 'ANC Care')],
    location: [{ location: { reference: given.units[event.orgUnit][1].fullUrl } }],
    serviceProvider: at,
  })] + [
    entry('Observation', 'dhis2-data-value', event.event + '-' + row.element, {
      meta: { profile: [row.profile] },
      status: 'final',
      category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: row.category }] }],
      code: row.code,
      subject: subject,
      encounter: encounter,
      effectiveDateTime: effective,
      performer: [performer],
      device: device,
      valueQuantity: {
        value: std.parseJson(values[row.element]),
        unit: row.unit,
        system: 'http://unitsofmeasure.org',
        code: row.ucum,
      },
    })
    for row in given.rows
    if std.objectHas(values, row.element) && is_number(values[row.element])
  ] + provenance('dhis2-event', event.event, encounter, event.updatedAt, performer, at);

local creator = if given.provenance then [given.users[enrollment.createdBy.uid]] else [];
local shared = given.device + unit + creator
               + std.flatMap(function(event) given.units[event.orgUnit] + [given.users[event.updatedBy.uid]], events);
local urls = [one.fullUrl for one in shared];
local own = [patient, care]
            + provenance('dhis2-enrollment', enrollment.enrollment, episode, enrollment.createdAt, user(enrollment.createdBy), owner)
            + std.flatMap(of_event, events);
// By which the sync knows what of hers changed, and of all together the bundle's name.
local digest(text) = std.substr(std.sha256(text), 0, 24);
local content = std.join('\n', [one.request.url + ' ' + digest(std.manifestJsonMinified(one.resource)) for one in own]);
{
  resourceType: 'Bundle',
  identifier: { system: 'urn:bench', value: person.trackedEntity + '-' + digest(content) },
  type: 'transaction',
  timestamp: instant(person.updatedAt),
  entry: own[:1]
         + [shared[i] for i in std.range(0, std.length(shared) - 1) if !std.member(urls[:i], urls[i])]
         + own[1:],
}
