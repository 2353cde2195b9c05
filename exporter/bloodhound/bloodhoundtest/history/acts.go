package history

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// acts are the actions of people, with their weights.
var acts = []struct {
	weight int
	play   func(*stage)
}{
	{240, (*stage).login},
	{60, (*stage).loginSSO},
	{35, (*stage).loginFailed},
	{150, (*stage).mutate},
	{3, (*stage).script},
	{70, (*stage).changeUser},
	{40, (*stage).changeToken},
	{25, (*stage).changeSecret},
	{90, (*stage).changeGroup},
	{35, (*stage).changeParameter},
	{60, (*stage).risk},
	{40, (*stage).export},
	{18, (*stage).unauthorized},
	{12, (*stage).upkeep},
	{4, (*stage).changeProvider},
	{5, (*stage).toggleFlag},
	{2, (*stage).clearData},
}

var totalWeight = func() (total int) {
	for _, a := range acts {
		total += a.weight
	}
	return total
}()

// longest is how many rows one act leaves at most.
const longest = 24

var complaints = []string{
	"ERROR: duplicate key value violates unique constraint (SQLSTATE 23505)",
	"entity not found",
	"context deadline exceeded",
	"name must be shorter than <250> characters & not empty",
}

func (st *stage) login() { st.attempt(st.who.name, "", true, "") }

func (st *stage) loginSSO() {
	provider := `"auth_type":"sso","oidc_provider_id":2,"sso_provider_id":5`
	if st.r.IntN(2) == 0 {
		provider = `"auth_type":"sso","saml_provider_id":3,"sso_provider_id":4`
	}
	st.attempt(st.who.email, "", true, provider)
}

// loginFailed is a mistyped password, or a name that does not exist.
func (st *stage) loginFailed() {
	reason := st.oneOf(`{}`, `"invalid authentication"`)
	if st.r.IntN(3) == 0 {
		st.attempt(st.oneOf("administrator", "root", "svc-scan", "test", "admin "), reason, false, "")
		return
	}
	for range 1 + st.r.IntN(3) {
		st.attempt(st.who.name, reason, true, "")
		st.later(20 * time.Second)
	}
}

func (st *stage) query() json.RawMessage {
	query := st.oneOf(
		"match (n:User) where n.name = $STRIPPED set n.owned = $STRIPPED return n",
		"match (c:Computer) where c.lastlogon < $STRIPPED and c.enabled = $STRIPPED set c.stale = $STRIPPED",
		"match (u:User)-[r:HasSession]->(c:Computer) where r.lastseen < $STRIPPED delete r",
		"match (g:Group) where g.name =~ $STRIPPED && g.highvalue <> $STRIPPED set g.note = $STRIPPED",
	)
	if st.r.IntN(200) == 0 {
		query = strings.Repeat(query+"\nunion ", 20+st.r.IntN(200)) + query
	}
	return text(`{"query":%s}`, query)
}

func (st *stage) mutate() {
	query := st.query()
	st.pair("MutateGraph", query, query)
}

// script is a user's loop: so many changes at once that their rows bear the same time.
func (st *stage) script() {
	query := st.query()
	for range 4 + st.r.IntN(longest-4) {
		st.single("MutateGraph", "intent", query)
	}
}

func (st *stage) changeUser() {
	whom := st.cast.pick()
	action := st.oneOf("CreateUser", "UpdateUser", "UpdateUser", "DeleteUser")
	fields := func(id string) json.RawMessage {
		return text(`{"email_address":%s,"eula_accepted":%t,"first_name":%s,"id":%s,"is_disabled":%t,`+
			`"last_name":%s,"principal_name":%s,"roles":[%d],"saml_provider_id":0}`,
			whom.email, action != "CreateUser", whom.first, id, st.who == whom, whom.last, whom.name, 1+len(whom.name)%5)
	}
	if action == "CreateUser" {
		st.pair(action, fields(api.ZeroUUID), fields(api.NewUUID(st.r)))
		return
	}
	st.pair(action, fields(whom.id), fields(whom.id))
}

func (st *stage) changeToken() {
	action := st.oneOf("CreateAuthToken", "CreateAuthToken", "DeleteAuthToken")
	name := st.oneOf("siem", "ci", "powershell", "sharphound-enterprise", "März-Bericht")
	used := st.at.Add(-time.Hour).Format(time.RFC3339Nano)
	fields := func(id string) json.RawMessage {
		return text(`{"client_id":null,"id":%s,"last_access":%s,"name":%s,"user_id":%s}`, id, used, name, st.who.id)
	}
	st.pair(action, fields(api.ZeroUUID), fields(api.NewUUID(st.r)))
}

func (st *stage) changeSecret() {
	fields := text(`{"secret_expires_at":%s,"secret_user_id":%d}`,
		st.at.AddDate(0, 0, 90).Format(time.RFC3339), 1+st.r.IntN(len(names)))
	st.pair(st.oneOf("CreateAuthSecret", "UpdateAuthSecret"), fields, fields)
}

func (st *stage) changeGroup() {
	name := st.oneOf("Tier Zero", "Owned", "PCI <scope>", "Sales & Marketing", "Serveurs hérités", "Domänen-Admins")
	switch st.r.IntN(3) {
	case 0:
		tag := strings.ToLower(strings.ReplaceAll(name, " ", "_"))
		fields := text(`{"asset_group_name":%s,"asset_group_tag":%s}`, name, tag)
		st.pair(st.oneOf("CreateAssetGroup", "UpdateAssetGroup", "DeleteAssetGroup"), fields, fields)
	case 1:
		fields := text(`{"description":%s,"id":%d,"kind_id":%d,"name":%s,"position":%d,"require_certify":null}`,
			"", 1+st.r.IntN(9), 100+st.r.IntN(9), name, 1+st.r.IntN(4))
		st.pair(st.oneOf("CreateAssetGroupTag", "UpdateAssetGroupTag"), fields, fields)
	default:
		fields := text(`{"asset_group_tag_id":%d,"name":%s,"seeds":[{"type":1,"value":%s},{"type":2,"value":%s}]}`,
			1+st.r.IntN(9), name, "match (n:Base) where n.system_tags contains 'admin_tier_0' return n", api.NewUUID(st.r))
		st.pair(st.oneOf("CreateAssetGroupTagSelector", "UpdateAssetGroupTagSelector"), fields, fields)
	}
}

func (st *stage) changeParameter() {
	var fields json.RawMessage
	switch st.r.IntN(3) {
	case 0:
		fields = text(`{"key":"analysis.citrix_rdp_support","value":{"enabled":%t}}`, st.r.IntN(2) == 0)
	case 1:
		fields = text(`{"key":"prune.ttl","value":{"base_ttl":"P%dD","has_session_edge_ttl":"P%dD"}}`,
			7+st.r.IntN(7), 1+st.r.IntN(5))
	default:
		fields = text(`{"key":"auth.password_expiration_window","value":{"duration":"P%dD"}}`, 30+st.r.IntN(60))
	}
	st.pair("UpdateParameter", fields, fields)
}

func (st *stage) changeProvider() {
	if st.r.IntN(2) == 0 {
		fields := text(`{"client_id":%s,"issuer":%s,"name":%s}`, "bloodhound", "https://login.example.com/oauth2", "entra")
		st.pair(st.oneOf("CreateOIDCIdentityProvider", "UpdateOIDCIdentityProvider"), fields, fields)
		return
	}
	fields := text(`{"idp_url":%s,"principal_attribute_mappings":[%s],"saml_id":%d,"saml_name":%s}`,
		"https://sso.example.com/saml?tenant=1&app=2", "urn:oid:0.9.2342.19200300.100.1.3", 1+st.r.IntN(3), "adfs")
	st.pair(st.oneOf("CreateSAMLIdentityProvider", "UpdateSAMLIdentityProvider"), fields, fields)
}

func (st *stage) toggleFlag() {
	fields := text(`{"enabled":%t,"key":%s}`, st.r.IntN(2) == 0, st.oneOf("butterfly_analysis", "tier_management_engine"))
	st.pair("ToggleEarlyAccessFeatureFlag", fields, fields)
}

func (st *stage) risk() {
	fields := text(`{"accepted":%t,"domain_sid":%s,"risk_type":%s}`, true, "S-1-5-21-3130019616-2776909439-2417379446",
		st.oneOf("T0GenericAll", "Kerberoasting", "LargeDefaultGroupsRDP"))
	st.pair(st.oneOf("AcceptRisk", "UnacceptRisk"), fields, fields)
}

func (st *stage) export() {
	st.single(st.oneOf("ExportListRisks", "ExportSavedQuery", "ExportAllRisks"), "success", nil)
}

func (st *stage) unauthorized() {
	st.single("UnauthorizedAccessAttempt", "failure", text(`{"endpoint":%s}`, st.oneOf(
		"POST /api/v2/bloodhound-users", "DELETE /api/v2/tokens/{token_id}", "PUT /api/v2/config", "POST /api/v2/saml")))
}

// upkeep is a daemon's work, outside of any request and without a user.
func (st *stage) upkeep() {
	from := len(st.rows)
	fields := text(`{"asset_group_tag_id":1,"nodes":%d}`, st.r.IntN(5000))
	st.pair("UpdateAssetGroupTag", fields, fields)
	for i := range st.rows[from:] {
		row := &st.rows[from+i]
		row.ActorID, row.ActorName, row.ActorEmail, row.RequestID, row.SourceIP = "", "", "", "", ""
	}
}

func (st *stage) clearData() {
	fields := text(`{"delete_all_graph":%t,"delete_sources":[]}`, true)
	st.pair("DeleteBloodhoundData", fields, fields)
}

// attack has the names that spray tries the password on, all without success.
var attack = strings.Fields("admin administrator svc-sql svc-backup helpdesk jsmith testuser scanner ldap-read veeam " +
	"jenkins azureadconnect sccm exchange oracle sapservice print vpn guest kiosk")

// spray tries one password on many names from one address, until it fits the act's own person. Then the attacker makes a token,
// to keep the access.
func (st *stage) spray() {
	st.zone, st.unit, st.source = nil, time.Microsecond, "203.0.113.66"
	for _, name := range attack {
		st.attempt(name, `{}`, false, "")
		st.later(4 * time.Second)
	}
	st.attempt(st.who.name, "", true, "")
	st.later(time.Minute)
	st.changeToken()
	for range 3 {
		st.later(10 * time.Second)
		st.unauthorized()
	}
}
