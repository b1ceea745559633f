// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// What a vault holds money for. Their ABI encoding is part of the vault's code, so the address names them: two vaults
/// differ when one field differs, and none of them can change. Times are block timestamps, amounts are base units.
struct Terms {
    uint256 version;
    uint256 chainId;
    bytes32 orderKey;
    address token;
    uint256 amount; // what the payee may receive at most; all else is the payer's
    address payer;
    address payee;
    address operator; // divides before the reclaim deadline
    address arbiter; // freezes, and divides what is frozen before the dispute deadline
    uint256 reclaimDeadline; // from here on the payer may take back what is not frozen
    uint256 disputeDeadline; // from here on either party may have what is frozen divided by default
    uint256 defaultToPayee; // the payee's total then
}

error NotAllowed(); // the caller is not who may do this, or not at this time
error WrongChain(); // the terms are of another chain or version: all that is possible is to return what arrived
error PartUsed(uint256 part);
error PartTooHigh(uint256 part);
error AboveAmount(); // the payee's total would exceed the amount
error BelowBalance(uint256 available); // the vault has less than is to be paid
error TooLittleGas(); // a transfer could fail for want of gas alone
error BadSignature();
error NothingToPay();
error TransferFailed();
error OrderMoneyMoved(); // returning another token moved the order's token

/// A vault of one order. It takes its orders from its factory alone, which says who called.
contract OrderVault {
    uint256 private constant VERSION = 1;

    /// Gas of one transfer. It is all that a token or a receiver can burn, and at least so much must be left, because a
    /// transfer that fails stays owed instead of reverting: an estimate of gas must not find a limit at which it fails.
    uint256 private constant TRANSFER_GAS = 300_000;
    /// Gas that the rest of a call needs after its last transfer.
    uint256 private constant REST_GAS = 60_000;

    /// Parts that pay has no use for: their transfers are owed under a number of their own.
    uint256 private constant RELEASE_PART = 254;
    uint256 private constant DEFAULT_PART = 255;

    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant RELEASE = keccak256("Release(uint256 totalToPayee)");

    address private immutable factory = msg.sender;

    /// One slot, because a release pays for each.
    struct Books {
        uint128 toPayee; // paid and owed to the payee, in total
        uint96 parts; // bit n: part n was paid
        bool frozen;
        bool busy; // a call is under way: no other may begin
    }

    struct Owed {
        uint128 toPayee;
        uint128 toPayer;
    }

    Books private books;
    Owed private owedInAll;
    mapping(uint256 part => Owed) private owed;

    /// The chain's own coin may arrive; returnOther gives it back.
    receive() external payable {}

    modifier exclusive() {
        if (msg.sender != factory || books.busy) revert NotAllowed();
        books.busy = true;
        _;
        books.busy = false;
    }

    /// Pays a part, once: the operator before the reclaim deadline, the arbiter of what is frozen before the dispute
    /// deadline. A transfer that fails stays owed and does not stop the other.
    function pay(address caller, uint256 part, uint128 toPayee, uint128 toPayer)
        external
        exclusive
        returns (bool payeePaid, bool payerPaid)
    {
        Terms memory t = _termsHere();
        if (books.frozen) {
            if (caller != t.arbiter || block.timestamp >= t.disputeDeadline) revert NotAllowed();
        } else {
            if (caller != t.operator || block.timestamp >= t.reclaimDeadline) revert NotAllowed();
        }
        if (part >= 96) revert PartTooHigh(part);
        if (books.parts & (uint96(1) << uint96(part)) != 0) revert PartUsed(part);
        if (toPayee == 0 && toPayer == 0) revert NothingToPay();
        books.parts |= uint96(1) << uint96(part);
        return _divide(t, part, toPayee, toPayer);
    }

    /// Pays the payee up to a total that the payer signed (EIP-712, EIP-1271 for contracts). Whatever else was paid to the
    /// payee counts, so a signature and a release by the operator never add up.
    function release(address caller, uint256 total, bytes calldata signature)
        external
        exclusive
        returns (uint128 toPayee, bool payeePaid)
    {
        Terms memory t = _termsHere();
        if (caller != t.payee || books.frozen) revert NotAllowed();
        bytes32 domain = keccak256(abi.encode(DOMAIN, keccak256("OrderVault"), keccak256("1"), block.chainid, address(this)));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(RELEASE, total))));
        if (!_signed(t.payer, digest, signature)) revert BadSignature();
        if (total > t.amount) revert AboveAmount();
        if (total <= books.toPayee) revert NothingToPay();
        toPayee = uint128(total - books.toPayee);
        (payeePaid,) = _divide(t, RELEASE_PART, toPayee, 0);
    }

    /// Stops everybody but the arbiter, once, before the reclaim deadline.
    function freeze(address caller) external exclusive {
        Terms memory t = _termsHere();
        if (caller != t.operator && caller != t.arbiter) revert NotAllowed();
        if (books.frozen || block.timestamp >= t.reclaimDeadline) revert NotAllowed();
        books.frozen = true;
    }

    /// Gives the payer back what is not owed, at a receiver of his choice, from the reclaim deadline on unless frozen.
    function reclaim(address caller, address receiver) external exclusive returns (uint256 amount) {
        Terms memory t = _termsHere();
        if (caller != t.payer || books.frozen || block.timestamp < t.reclaimDeadline) revert NotAllowed();
        amount = _available(t.token);
        if (amount == 0) revert NothingToPay();
        if (!_transfer(t.token, receiver, amount)) revert TransferFailed();
    }

    /// Divides what is frozen and undecided from the dispute deadline on: the payee's total becomes the default, as far as
    /// there is money, and the rest is the payer's.
    function divideByDefault(address caller)
        external
        exclusive
        returns (uint128 toPayee, uint128 toPayer, bool payeePaid, bool payerPaid)
    {
        Terms memory t = _termsHere();
        if (caller != t.payer && caller != t.payee) revert NotAllowed();
        if (!books.frozen || block.timestamp < t.disputeDeadline) revert NotAllowed();
        uint256 available = _available(t.token);
        if (available == 0) revert NothingToPay();
        if (available > type(uint128).max) available = type(uint128).max; // the rest by another call
        uint256 total = t.defaultToPayee < t.amount ? t.defaultToPayee : t.amount;
        uint256 due = total > books.toPayee ? total - books.toPayee : 0;
        if (due > available) due = available;
        toPayee = uint128(due);
        toPayer = uint128(available - due);
        (payeePaid, payerPaid) = _divide(t, DEFAULT_PART, toPayee, toPayer);
    }

    /// Pays what a part still owes. A party chooses the receiver of its own; the operator can only have each party's sent to
    /// it. It is possible at any time: the decision was made when the part was.
    function claim(address caller, uint256 part, address receiver) external exclusive returns (uint256 toPayee, uint256 toPayer) {
        Terms memory t = _termsHere();
        Owed memory due = owed[part];
        if (caller != t.operator && caller != t.payee && caller != t.payer) revert NotAllowed();
        if (due.toPayee > 0 && (caller == t.operator || caller == t.payee)) {
            owed[part].toPayee = 0;
            owedInAll.toPayee -= due.toPayee;
            if (!_transfer(t.token, caller == t.payee ? receiver : t.payee, due.toPayee)) revert TransferFailed();
            toPayee = due.toPayee;
        }
        if (due.toPayer > 0 && (caller == t.operator || caller == t.payer)) {
            owed[part].toPayer = 0;
            owedInAll.toPayer -= due.toPayer;
            if (!_transfer(t.token, caller == t.payer ? receiver : t.payer, due.toPayer)) revert TransferFailed();
            toPayer = due.toPayer;
        }
        if (toPayee == 0 && toPayer == 0) revert NothingToPay();
    }

    /// Gives the payer what arrived and is not the order's: another token, the chain's own coin (token 0), and on another
    /// chain than the terms' everything. Before the reclaim deadline only the operator may ask. The payer may choose a
    /// receiver.
    function returnOther(address caller, address token, address receiver) external exclusive returns (address to, uint256 amount) {
        Terms memory t = _terms();
        bool here = t.version == VERSION && t.chainId == block.chainid;
        if (caller != t.operator && (caller != t.payer || block.timestamp < t.reclaimDeadline)) revert NotAllowed();
        uint256 before = here ? _balance(t.token) : 0;
        to = caller == t.payer ? receiver : t.payer;
        amount = token == address(0) ? address(this).balance : _balance(token);
        if (amount == 0) revert NothingToPay();
        if (!_transfer(token, to, amount)) revert TransferFailed();
        if (here && _balance(t.token) != before) revert OrderMoneyMoved();
    }

    /// The vault's books: what was paid and owed to the payee, which parts were paid, whether it is frozen, what is owed.
    function state() external view returns (uint128 toPayee, uint96 parts, bool frozen, uint128 owedToPayee, uint128 owedToPayer) {
        return (books.toPayee, books.parts, books.frozen, owedInAll.toPayee, owedInAll.toPayer);
    }

    /// What a part still owes.
    function owedBy(uint256 part) external view returns (uint128 toPayee, uint128 toPayer) {
        return (owed[part].toPayee, owed[part].toPayer);
    }

    function _divide(Terms memory t, uint256 part, uint128 toPayee, uint128 toPayer)
        private
        returns (bool payeePaid, bool payerPaid)
    {
        if (uint256(books.toPayee) + toPayee > t.amount) revert AboveAmount();
        uint256 available = _available(t.token);
        if (uint256(toPayee) + toPayer > available) revert BelowBalance(available);
        books.toPayee += toPayee;
        // Only the factory comes in while a transfer runs, and exclusive turns it away: what is owed can be written after.
        payeePaid = toPayee == 0 || _transfer(t.token, t.payee, toPayee);
        payerPaid = toPayer == 0 || _transfer(t.token, t.payer, toPayer);
        if (!payeePaid) {
            owed[part].toPayee += toPayee;
            owedInAll.toPayee += toPayee;
        }
        if (!payerPaid) {
            owed[part].toPayer += toPayer;
            owedInAll.toPayer += toPayer;
        }
    }

    /// Whether the signer signed: a key by ECDSA, also one that has delegated to code; a contract by EIP-1271. OpenZeppelin's
    /// SignatureChecker needs instructions that London has not.
    function _signed(address signer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return true;
        if (signer.code.length == 0) return false;
        try IERC1271(signer).isValidSignature(digest, signature) returns (bytes4 answer) {
            return answer == IERC1271.isValidSignature.selector;
        } catch {
            return false;
        }
    }

    function _terms() private view returns (Terms memory) {
        return abi.decode(Clones.fetchCloneArgs(address(this)), (Terms));
    }

    function _termsHere() private view returns (Terms memory t) {
        t = _terms();
        if (t.version != VERSION || t.chainId != block.chainid) revert WrongChain();
    }

    /// What is in the vault and owed to nobody.
    function _available(address token) private view returns (uint256) {
        uint256 balance = _balance(token);
        uint256 reserved = uint256(owedInAll.toPayee) + owedInAll.toPayer;
        return balance > reserved ? balance - reserved : 0; // a token may take money away
    }

    function _balance(address token) private view returns (uint256) {
        return token.code.length == 0 ? 0 : IERC20(token).balanceOf(address(this));
    }

    /// Whether the transfer was done. One that was not moved nothing, whatever the token did.
    function _transfer(address token, address to, uint256 amount) private returns (bool) {
        if ((gasleft() * 63) / 64 < TRANSFER_GAS + REST_GAS) revert TooLittleGas();
        try this.transferOut{gas: TRANSFER_GAS}(token, to, amount) {
            return true;
        } catch {
            return false;
        }
    }

    /// A transfer out of this vault, which alone may call it; of the chain's own coin when the token is 0. It reverts, and so
    /// undoes what the token did, unless the token says that it was done: by true, or by no answer at all as old tokens do.
    function transferOut(address token, address to, uint256 amount) external {
        if (msg.sender != address(this) || to == address(this)) revert NotAllowed(); // to itself it would only look moved
        if (token == address(0)) {
            assembly ("memory-safe") {
                if iszero(call(gas(), to, amount, 0, 0, 0, 0)) { revert(0, 0) }
            }
            return;
        }
        if (token.code.length == 0) revert TransferFailed();
        bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
        bool done;
        assembly ("memory-safe") {
            done := call(gas(), token, 0, add(data, 0x20), mload(data), 0, 0x20) // an answer may be long: one word is enough
            switch returndatasize()
            case 0 {}
            default { done := and(done, and(gt(returndatasize(), 31), eq(mload(0), 1))) }
        }
        if (!done) revert TransferFailed();
    }
}

/// Makes the vaults and carries every call to them. It has no owner and keeps nothing, and neither it nor the code of the
/// vaults can be replaced. Every entry deploys the vault where it is absent; only who is named in the terms can call one.
contract OrderVaults {
    address public immutable implementation = address(new OrderVault());

    event Paid(
        address indexed vault,
        bytes32 indexed orderKey,
        uint256 indexed part,
        uint256 toPayee,
        uint256 toPayer,
        bool payeePaid, // otherwise it stays owed
        bool payerPaid
    );
    event Failed(address indexed vault, bytes32 indexed orderKey, uint256 indexed part); // a member of a batch
    event Frozen(address indexed vault, bytes32 indexed orderKey);
    event Reclaimed(address indexed vault, bytes32 indexed orderKey, address receiver, uint256 amount);
    event Claimed(address indexed vault, bytes32 indexed orderKey, uint256 indexed part, uint256 toPayee, uint256 toPayer);
    event Returned(address indexed vault, bytes32 indexed orderKey, address token, address to, uint256 amount);

    struct Payment {
        Terms terms;
        uint256 part;
        uint128 toPayee;
        uint128 toPayer;
    }

    /// The vault's address, whether or not it was deployed.
    function vaultOf(Terms calldata terms) public view returns (address) {
        return Clones.predictDeterministicAddressWithImmutableArgs(implementation, abi.encode(terms), 0);
    }

    function pay(Payment calldata payment) external {
        _pay(msg.sender, payment);
    }

    /// Pays many, each with so much gas. One that fails says so and does not stop the others.
    function payBatch(Payment[] calldata payments, uint256 gasEach) external {
        for (uint256 i = 0; i < payments.length; i++) {
            bytes memory data = abi.encodeCall(this.payFor, (msg.sender, payments[i]));
            bool done;
            if ((gasleft() * 63) / 64 >= gasEach)
                assembly ("memory-safe") {
                    done := call(gasEach, address(), 0, add(data, 0x20), mload(data), 0, 0)
                }
            if (!done) emit Failed(vaultOf(payments[i].terms), payments[i].terms.orderKey, payments[i].part);
        }
    }

    /// A member of payBatch, which alone may call it.
    function payFor(address caller, Payment calldata payment) external {
        if (msg.sender != address(this)) revert NotAllowed();
        _pay(caller, payment);
    }

    function release(Terms calldata terms, uint256 totalToPayee, bytes calldata signature) external {
        OrderVault vault = _open(terms, msg.sender);
        (uint128 toPayee, bool payeePaid) = vault.release(msg.sender, totalToPayee, signature);
        emit Paid(address(vault), terms.orderKey, 254, toPayee, 0, payeePaid, true);
    }

    function freeze(Terms calldata terms) external {
        OrderVault vault = _open(terms, msg.sender);
        vault.freeze(msg.sender);
        emit Frozen(address(vault), terms.orderKey);
    }

    function reclaim(Terms calldata terms, address receiver) external {
        OrderVault vault = _open(terms, msg.sender);
        emit Reclaimed(address(vault), terms.orderKey, receiver, vault.reclaim(msg.sender, receiver));
    }

    function divideByDefault(Terms calldata terms) external {
        OrderVault vault = _open(terms, msg.sender);
        (uint128 toPayee, uint128 toPayer, bool payeePaid, bool payerPaid) = vault.divideByDefault(msg.sender);
        emit Paid(address(vault), terms.orderKey, 255, toPayee, toPayer, payeePaid, payerPaid);
    }

    function claim(Terms calldata terms, uint256 part, address receiver) external {
        OrderVault vault = _open(terms, msg.sender);
        (uint256 toPayee, uint256 toPayer) = vault.claim(msg.sender, part, receiver);
        emit Claimed(address(vault), terms.orderKey, part, toPayee, toPayer);
    }

    function returnOther(Terms calldata terms, address token, address receiver) external {
        OrderVault vault = _open(terms, msg.sender);
        (address to, uint256 amount) = vault.returnOther(msg.sender, token, receiver);
        emit Returned(address(vault), terms.orderKey, token, to, amount);
    }

    function _pay(address caller, Payment calldata p) private {
        OrderVault vault = _open(p.terms, caller);
        (bool payeePaid, bool payerPaid) = vault.pay(caller, p.part, p.toPayee, p.toPayer);
        emit Paid(address(vault), p.terms.orderKey, p.part, p.toPayee, p.toPayer, payeePaid, payerPaid);
    }

    /// The vault of the terms, deployed if it was not.
    function _open(Terms calldata t, address caller) private returns (OrderVault) {
        if (caller != t.operator && caller != t.arbiter && caller != t.payer && caller != t.payee) revert NotAllowed();
        bytes memory args = abi.encode(t);
        address vault = Clones.predictDeterministicAddressWithImmutableArgs(implementation, args, 0);
        if (vault.code.length == 0) Clones.cloneDeterministicWithImmutableArgs(implementation, args, 0);
        return OrderVault(payable(vault));
    }
}
