"""What the Capture app asks at start (Web API §11.1), in its order."""

from typing import Any

from litestar import Litestar
from litestar.testing import AsyncTestClient

from registry_wire import ADMIN

Client = AsyncTestClient[Litestar]
STARTING = """
/system/info
/42/userSettings
/42/me?fields=id
/42/apps/menu
/42/me/dashboard
/42/me?fields=authorities,avatar,name,settings,username
/42/apps
/42/systemSettings
/42/systemSettings/applicationTitle
/42/me?fields=id,firstName,surname,username,userRoles[id],userGroups[id],organisationUnits[id,path],settings
/42/system/info?fields=dateFormat,serverTimeZoneId,calendar
/42/programs?fields=id,version,programTrackedEntityAttributes[trackedEntityAttribute[id,optionSet[id,version]]]&page=1
/42/programs/orgUnits?programs=eozjj9UivfS
/42/programs?fields=id,displayName,access[*],style,programStages[id,access,displayName]&filter=id:in:[eozjj9UivfS]
/42/programRuleVariables?filter=program.id:in:[eozjj9UivfS]
/42/programRules?filter=program.id:in:[eozjj9UivfS]
/42/programIndicators?filter=program.id:in:[eozjj9UivfS]&filter=displayInForm:eq:true
/42/constants
/42/organisationUnitLevels?fields=id,displayName,level
/42/relationshipTypes?fields=id,displayName,bidirectional,access[*],referral
/42/organisationUnitGroups?fields=id,name,code,organisationUnits[id]
/42/trackedEntityTypes?fields=id, trackedEntityTypeAttributes[trackedEntityAttribute[optionSet[id,version]]]
/42/trackedEntityAttributes?fields=id,displayName,translations[property,locale,value],optionSet[id],preferredSearchOperator
/42/dataElements?fields=id,displayName,code,translations[*],optionSetValue,style,optionSet[id]&pageSize=1
/42/categories?fields=id
/42/optionSets?fields=id,displayName,code,attributeValues,version,options[id,displayName,code,style, translations]
/42/optionGroups?fields=id,optionSet,options&filter=optionSet.id:in:[x]
/42/organisationUnits?fields=id, displayName~rename(name), path&withinUserHierarchy=true&pageSize=2
/42/organisationUnits/Tnl7qgZh7zL?fields=path,children::size
/42/organisationUnits/Tnl7qgZh7zL?fields=displayName,ancestors[id,displayName]
/42/organisationUnits?query=Tnl7qgZh7zL&fields=id
/42/programStageWorkingLists?filter=program.id:eq:eozjj9UivfS&fields=id,displayName,access
/42/trackedEntityInstanceFilters?filter=program.id:eq:eozjj9UivfS
/42/eventFilters?filter=program:eq:eozjj9UivfS
/me.json?fields=authorities
/me.json?fields=userCredentials[userRoles]
/42/programs/eozjj9UivfS?fields=id,displayName
/42/trackedEntityTypes/MxdEsVAegt5?fields=displayName,access
""".strip().splitlines()


async def test_everything_capture_asks_at_start_is_answered(registry: Client, programme: dict[str, Any]) -> None:
    refused = [path for path in STARTING if (await registry.get(f"/api{path}", auth=ADMIN)).status_code != 200]
    assert refused == []


async def test_answers_have_what_capture_reads_in_them(registry: Client, programme: dict[str, Any]) -> None:
    async def get(path: str) -> Any:
        return (await registry.get(f"/api/42{path}", auth=ADMIN)).json()

    me = await get("/me?fields=settings")
    assert set(me) == {"settings"}
    assert {"keyUiLocale", "keyDbLocale"} <= set(me["settings"])
    assert (await get("/organisationUnits/Tnl7qgZh7zL?fields=children::size")) == {"children": 0}
    [program] = (await get("/programs?fields=access[*]&filter=id:eq:eozjj9UivfS"))["programs"]
    assert program["access"]["data"] == {"read": True, "write": True}
    found = await get("/organisationUnits?query=Tnl7qgZh7zL&fields=id")
    assert found["organisationUnits"] == [{"id": "Tnl7qgZh7zL"}]


async def test_what_capture_may_miss_is_404(registry: Client) -> None:
    for path in ("/dataStore/capture/ruleEngine", "/staticContent/logo_banner", "/icons/x/icon"):
        assert (await registry.get(f"/api/42{path}", auth=ADMIN)).status_code == 404
