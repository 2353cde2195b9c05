package schema

import "slices"

// Actions returns the actions that we know from BloodHound, in the order in which the documents list them. Servers log others too.
func Actions() []Action { return slices.Clone(actions[:]) }

// actions is the table with all facts about an action. The list of names is the one of BloodHound's source.
//
//nolint:gochecknoglobals // a constant
var actions = [...]Action{
	{"LoginAttempt", "authentication", "start", Authentication, authenticationLogon, informational, "", loginUser},
	{"CreateSupportUserSessionAttempt", "authentication session", "start", Authentication, authenticationLogon, medium, "", sessionUser},
	{"InvalidateSupportUserSession", "session", "end", Authentication, authenticationLogoff, informational, "", sessionUser},
	{"InvalidateAllSupportUserSessions", "session", "end", APIActivity, activityDelete, medium, "", noUser},
	// The activity is the one of the method that BloodHound refused.
	{unauthorizedAccess, "api", "access denied", APIActivity, activityOther, medium, "", noUser},
	{"AcceptEULA", "iam", "info user", APIActivity, activityOther, informational, "", noUser},
	{"AcceptFedEULA", "iam", "info user", APIActivity, activityOther, informational, "", noUser},

	{"CreateUser", "iam", "creation user", AccountChange, accountCreate, low, "", wholeUser},
	{"UpdateUser", "iam", "change user", AccountChange, activityOther, low, "", wholeUser},
	{"DeleteUser", "iam", "deletion user", AccountChange, accountDelete, low, "", wholeUser},
	{"CreateAuthSecret", "iam", "change user", AccountChange, accountPasswordChange, low, "", secretUser},
	{"UpdateAuthSecret", "iam", "change user", AccountChange, accountPasswordChange, low, "", secretUser},
	{"DeleteAuthSecret", "iam", "deletion user", AccountChange, activityOther, low, "", secretUser},

	{"CreateAuthToken", "iam", "creation user", EntityManagement, activityCreate, low, apiToken, tokenUser},
	{"UpdateAuthTokenExpiration", "iam", "change user", EntityManagement, activityUpdate, low, apiToken, tokenUser},
	{"DeleteAuthToken", "iam", "deletion user", EntityManagement, activityDelete, low, apiToken, tokenUser},
	{"DeleteAllAuthTokens", "iam", "deletion admin", EntityManagement, activityDelete, medium, apiToken, noUser},

	{"CreateSAMLIdentityProvider", "iam", "admin creation", EntityManagement, activityCreate, medium, samlProvider, noUser},
	{"UpdateSAMLIdentityProvider", "iam", "admin change", EntityManagement, activityUpdate, medium, samlProvider, noUser},
	{"CreateOIDCIdentityProvider", "iam", "admin creation", EntityManagement, activityCreate, medium, oidcProvider, noUser},
	{"UpdateOIDCIdentityProvider", "iam", "admin change", EntityManagement, activityUpdate, medium, oidcProvider, noUser},
	{"CreateSSOIdentityProvider", "iam", "admin creation", EntityManagement, activityCreate, medium, ssoProvider, noUser},
	{"UpdateSSOIdentityProvider", "iam", "admin change", EntityManagement, activityUpdate, medium, ssoProvider, noUser},
	{"DeleteSSOIdentityProvider", "iam", "admin deletion", EntityManagement, activityDelete, medium, ssoProvider, noUser},
	{"UpdateETACList", "iam", "admin change", EntityManagement, activityUpdate, low, etacList, noUser},
	{"DeleteETACList", "iam", "admin deletion", EntityManagement, activityDelete, low, etacList, noUser},
	{"CreateClient", "iam", "admin creation", EntityManagement, activityCreate, low, collectorClient, noUser},
	{"ReplaceClientToken", "iam", "admin change", EntityManagement, activityUpdate, low, collectorClient, noUser},

	{"CreateAssetGroup", "configuration", "creation", EntityManagement, activityCreate, informational, assetGroup, noUser},
	{"UpdateAssetGroup", "configuration", "change", EntityManagement, activityUpdate, informational, assetGroup, noUser},
	{"DeleteAssetGroup", "configuration", "deletion", EntityManagement, activityDelete, informational, assetGroup, noUser},
	{"DeleteAssetGroupSelector", "configuration", "deletion", EntityManagement, activityDelete, informational, "asset group selector", noUser},
	{"CreateAssetGroupTag", "configuration", "creation", EntityManagement, activityCreate, informational, assetGroupTag, noUser},
	{"UpdateAssetGroupTag", "configuration", "change", EntityManagement, activityUpdate, informational, assetGroupTag, noUser},
	{"DeleteAssetGroupTag", "configuration", "deletion", EntityManagement, activityDelete, informational, assetGroupTag, noUser},
	{"CreateAssetGroupTagSelector", "configuration", "creation", EntityManagement, activityCreate, informational, selector, noUser},
	{"UpdateAssetGroupTagSelector", "configuration", "change", EntityManagement, activityUpdate, informational, selector, noUser},
	{"DeleteAssetGroupTagSelector", "configuration", "deletion", EntityManagement, activityDelete, informational, selector, noUser},
	{"CreateCustomNodeKind", "configuration", "creation", EntityManagement, activityCreate, informational, customNodeKind, noUser},
	{"UpdateCustomNodeKind", "configuration", "change", EntityManagement, activityUpdate, informational, customNodeKind, noUser},
	{"DeleteCustomNodeKind", "configuration", "deletion", EntityManagement, activityDelete, informational, customNodeKind, noUser},
	{"CreateGraphSchemaExtension", "configuration", "creation", EntityManagement, activityCreate, informational, graphExtension, noUser},
	{"DeleteGraphSchemaExtension", "configuration", "deletion", EntityManagement, activityDelete, informational, graphExtension, noUser},
	{"UpdateParameter", "configuration", "change", EntityManagement, activityUpdate, low, "parameter", noUser},
	{"ToggleEarlyAccessFeatureFlag", "configuration", "change", EntityManagement, activityUpdate, informational, "feature flag", noUser},

	{"AcceptRisk", "configuration", "change", APIActivity, activityUpdate, low, "", noUser},
	{"UnacceptRisk", "configuration", "change", APIActivity, activityUpdate, low, "", noUser},
	{"ExportRelationshipRisks", "database", "access", APIActivity, activityRead, low, "", noUser},
	{"ExportListRisks", "database", "access", APIActivity, activityRead, low, "", noUser},
	{"ExportAllRisks", "database", "access", APIActivity, activityRead, low, "", noUser},
	{"ExportSavedQuery", "database", "access", APIActivity, activityRead, low, "", noUser},
	{"ExportSavedQueries", "database", "access", APIActivity, activityRead, low, "", noUser},
	{"ImportSavedQueries", "configuration", "creation", APIActivity, activityCreate, informational, "", noUser},
	{"MutateGraph", "database", "change", APIActivity, activityUpdate, low, "", noUser},
	{"DeleteBloodhoundData", "database", "change", APIActivity, activityDelete, medium, "", noUser},
}

// unauthorizedAccess is the action of a request that BloodHound refused. Its fields have the method and the path.
const unauthorizedAccess = "UnauthorizedAccessAttempt"
