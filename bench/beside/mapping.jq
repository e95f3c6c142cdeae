# What by_hand.py gives, in jq. $given: shared entries, rows, districts, and what jq has no functions for: full URLs
# by "Type/value", the bundle's identifier, and the offset of the registry's zone.
def ips: "http://fhir.health.gov.lk/ips/";
def profile($name): {profile: [ips + "StructureDefinition/" + $name]};
def system($name): ips + "identifier/" + $name;
def encoded($name): "http%3A%2F%2Ffhir.health.gov.lk%2Fips%2Fidentifier%2F" + $name;
def reference($kind; $value): {reference: $given.urls[$kind + "/" + $value]};
def concept($system; $code; $display; $text): {coding: [{$system, $code, $display}], $text};
def moment: if endswith("T00:00:00.000") then .[:10] else . + $given.offset end;
def entry($kind; $name; $value; $resource):
  {fullUrl: $given.urls[$kind + "/" + $value],
   resource: ({resourceType: $kind, identifier: [{system: system($name), value: $value}]} + $resource),
   request: {method: "PUT", url: ($kind + "?identifier=" + encoded($name) + "%7C" + $value)}};
def identifier($use; $code; $text; $name; $value):
  {$use, type: {coding: [{system: (ips + "CodeSystem/cs-identifier-types"), $code}], $text}, system: system($name), $value};
def number: tonumber? | select(. <= 1000000000000 and . >= -1000000000000);
def phone: if startswith("0") and length == 10 then "+94" + .[1:] else . end;
def short: split(" ") | .[0] as $first
  | if length > 1 and ($first | length >= 3 and length <= 5) and ($first | tonumber? // false) then .[1:] | join(" ") else empty end;
def address:
  [split(",")[] | trim | select(. != "")] as $given_parts
  | ([range(1; $given_parts | length) | select($given_parts[.] | short)][0]) as $at
  | (if $at then $given_parts[$at] | split(" ")[0] | select(length == 5) else null end // null) as $postal
  | (if $at then $given_parts | .[$at] |= short else $given_parts end) as $parts
  | (first($parts[1:] | reverse[] | $given.districts[ascii_downcase | rtrimstr(" district")] // empty) // null) as $place
  | if $place == null then empty else
      ([$place[0], $place[1], ($place[1] | rtrimstr(" Province")), "LK"] | map(ascii_downcase)) as $known
      | [$parts[0]] + [$parts[1:][] | select(ascii_downcase | IN($known[]) | not)]
      | {text: ($parts | join(", ")), line: (if length > 1 then .[:-1] else . end),
         city: (if length > 1 then .[-1] else $parts[1] // $parts[0] end),
         district: $place[0], state: $place[1]} + (if $postal then {postalCode: $postal} else {} end) + {country: "LK"}
    end;
def provenance($name; $uid; $about; $subject; $recorded; $user; $owner; $device):
  select($given.provenance) |
  def agent($code; $text): concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type"; $code; $text; $text);
  {fullUrl: $given.urls["Provenance/" + $uid],
   resource: {resourceType: "Provenance", meta: {tag: [{system: system($name), code: $uid}]}, target: [$about, $subject],
     recorded: ($recorded + $given.offset),
     agent: [{type: agent("enterer"; "Enterer"), who: $user, onBehalfOf: $owner},
             {type: agent("assembler"; "Assembler"), who: $device}],
     entity: [{role: "source", what: {identifier: {system: system($name), value: $uid}}}]},
   request: {method: "PUT", url: ("Provenance?_tag=" + encoded($name) + "%7C" + $uid)}};
. as $person | .enrollments[0] as $enrollment | .trackedEntity as $uid
| (reduce (.attributes, $enrollment.attributes)[] as $one ({}; .[$one.attribute] = ($one.value | trim))) as $held
| ($held["VQl0wK3eqiw"] | split(" ") | map(select(. != ""))) as $words
| reference("Patient"; $uid) as $subject
| reference("EpisodeOfCare"; $enrollment.enrollment) as $episode
| {reference: $given.device[0].fullUrl} as $device
| ($given.units[.programOwners[0].orgUnit]) as $unit | {reference: $unit[0].fullUrl} as $owner
| [$enrollment.events | sort_by(.occurredAt)[]] as $events
| ($given.device + $unit + [select($given.provenance) | $given.users[$enrollment.createdBy.uid]]
   + [$events[] | $given.units[.orgUnit][], $given.users[.updatedBy.uid]]) as $shared
| {resourceType: "Bundle", identifier: {system: "urn:bench", value: $given.identifier}, type: "transaction",
   timestamp: (.updatedAt + $given.offset), entry: (
  [entry("Patient"; "phn"; $held["IrUmPkFMDU5"]; {
     meta: profile("ips-patient"),
     extension: [{url: (ips + "StructureDefinition/patient-registration-system"), valueReference: $device}],
     identifier: [
       identifier("official"; "PHN"; "Personal Health Number"; "phn"; $held["IrUmPkFMDU5"]),
       {use: "secondary", system: system("esignet-subject"), value: $held["CJLJmmp8r9g"]},
       identifier("secondary"; "NIC"; "National identity number"; "nic"; $held["M6NNPC3hNrb"]),
       {system: system("dhis2-tracked-entity"), value: $uid}],
     active: true,
     name: [{text: $held["VQl0wK3eqiw"], family: $words[-1], given: $words[:-1]}],
     telecom: [{system: "phone", value: ($held["gGAQeOr1Pgu"] | phone), use: "mobile"}],
     gender: ({Male: "male", Female: "female"}[$held["p7zizFkC6Lv"]] // "unknown"),
     birthDate: $held["Yie7mOY913J"][:10],
     address: [$held["EOMGwaUTMrU"] | address],
     managingOrganization: $owner}) | .fullUrl = $subject.reference]
  + [reduce $shared[] as $one ({}; .[$one.fullUrl] = $one) | .[]]
  + [entry("EpisodeOfCare"; "dhis2-enrollment"; $enrollment.enrollment; {
       status: ({COMPLETED: "finished", CANCELLED: "cancelled"}[$enrollment.status] // "active"),
       type: [concept("http://snomed.info/sct"; "424525001"; "Antenatal care"; "Antenatal care")],
       patient: $subject, managingOrganization: $owner,
       identifier: [{system: system("dhis2-enrollment"), value: $enrollment.enrollment},
                    {system: system("anc-registration-number"), value: $held["CSZevH4P5yV"]}],
       period: {start: ($enrollment.enrolledAt | moment)}}),
     provenance("dhis2-enrollment"; $enrollment.enrollment; $episode; $subject; $enrollment.createdAt;
       {reference: $given.users[$enrollment.createdBy.uid // ""].fullUrl}; $owner; $device)]
  + [$events[] as $event | $event.event as $visit
     | reference("Encounter"; $visit) as $encounter | ($event.occurredAt | moment) as $effective
     | {reference: $given.users[$event.updatedBy.uid].fullUrl} as $performer
     | ($given.units[$event.orgUnit] | map({reference: .fullUrl})) as [$at, $place]
     | entry("Encounter"; "dhis2-event"; $visit; {
         meta: profile("target-facility-encounter"), status: "finished",
         class: {system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB", display: "ambulatory"},
         type: [concept(ips + "CodeSystem/anc-program-stage"; "visit"; "ANC visit"; "ANC visit")],
         subject: $subject, episodeOfCare: [$episode], participant: [{individual: $performer}],
         period: ({start: $effective} + (if $effective | length == 10 then {end: $effective} else {} end)),
         reasonCode: [concept("http://snomed.info/sct"; "77386006"; "Pregnancy"; "ANC Care")],
         location: [{location: $place}], serviceProvider: $at}),
       ((reduce $event.dataValues[] as $one ({}; .[$one.dataElement] = $one.value)) as $values
        | $given.rows[] as $row | $values[$row.element] // empty | number as $number
        | entry("Observation"; "dhis2-data-value"; "\($visit)-\($row.element)"; {
            meta: {profile: [$row.profile]}, status: "final",
            category: [{coding: [{system: "http://terminology.hl7.org/CodeSystem/observation-category", code: $row.category}]}],
            code: $row.code, subject: $subject, encounter: $encounter, effectiveDateTime: $effective,
            performer: [$performer], device: $device,
            valueQuantity: {value: $number, unit: $row.unit, system: "http://unitsofmeasure.org", code: $row.ucum}})),
       provenance("dhis2-event"; $visit; $encounter; $subject; $event.updatedAt; $performer; $at; $device)])}
